//! Clusters' endpoints: policies, health by traffic, limits. Pure picks.
