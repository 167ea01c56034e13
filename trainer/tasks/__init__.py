"""What a network is trained on: tasks and their sampling, episodes, augmentation, synthetic tasks, prompts."""
