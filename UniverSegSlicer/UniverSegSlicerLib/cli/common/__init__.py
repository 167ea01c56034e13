"""What subcommands share: options and their values, files in and out, what is printed, pictures of a result."""
