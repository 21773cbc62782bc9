"""The paper's studies, end to end: data, training, exact answers, a report."""
