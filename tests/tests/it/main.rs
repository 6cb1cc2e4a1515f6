//! Integration tests against real clusters, which `test_kit` starts and ends.

mod diesel_routing;
mod startup;
mod topology;
