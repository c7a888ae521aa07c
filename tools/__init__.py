"""What keeps the supply chain in order: lock files, licences, the list of what a release is made of."""
