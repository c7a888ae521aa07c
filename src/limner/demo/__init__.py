"""The built-in real data set of the demo: nuclei under the microscope, CC0."""
