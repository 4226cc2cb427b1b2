//! `schema`: the JSON Schema of the YAML configuration.

use super::Failure;

/// `bifrons schema`.
pub fn print() -> Result<(), Failure> {
    super::print(&format!("{:#}\n", bifrons_model::schema().to_value()))
}
