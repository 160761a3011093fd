//! The runtime: supervision tree, account actors, duties and services.
