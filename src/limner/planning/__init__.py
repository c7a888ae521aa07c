"""Planning: readable rules from facts to a recipe, each with its reason."""
