"""One address for clients: forwards every RPC of the four services and composes across them. It stores nothing."""
