"""The version of site and pipeline, stored with everything they publish."""

VERSION = "0.1.0"
