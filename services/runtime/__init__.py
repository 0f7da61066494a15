"""How any of the services is started and served: settings, pipeline, errors, health, logging, test server."""
