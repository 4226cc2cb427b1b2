//! A configuration as text, for people and for the proxy to read again.

use bifrons_model::Config;

/// As YAML; reading it gives the same configuration.
///
/// # Errors
/// What the model holds that YAML cannot: nothing, as far as we know.
pub fn to_yaml(config: &Config) -> Result<String, String> {
    serde_saphyr::to_string(config).map_err(|error| format!("cannot write the configuration: {error}"))
}

/// As JSON, with line breaks.
///
/// # Errors
/// As [`to_yaml`].
pub fn to_json(config: &Config) -> Result<String, String> {
    serde_json::to_string_pretty(config).map_err(|error| format!("cannot write the configuration: {error}"))
}
