"""The lab's S3: SeaweedFS under a supervisor, behind a door that takes fault rules."""
