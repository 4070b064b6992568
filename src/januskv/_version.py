"""The version, where the build finds it too."""

VERSION = "0.1.0"
