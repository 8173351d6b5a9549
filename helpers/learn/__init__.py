"""The learner's steps: data, training, the deployed graph, figures and exercises."""
