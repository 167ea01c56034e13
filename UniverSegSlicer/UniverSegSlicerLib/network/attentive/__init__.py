"""The attentive family: cross blocks with attention over the support, on a pretrained encoder of photographs."""
