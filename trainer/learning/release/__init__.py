"""From a run to what is shipped: :func:`.bundle.bundle` and :func:`.model_card.write_model_card`."""
