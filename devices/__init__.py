"""The registry: sites, cameras, call boxes, sensors, zones and rules, and the store that keeps them."""
