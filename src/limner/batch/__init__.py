"""Any list of jobs on many machines; knows the jobs' worker only as something that can be called."""
