//! Options with a fixed set of values that another crate defines.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// Returns a parser for an option whose values `by_name` knows. `values` contains the names, each with its help text.
pub(crate) fn choice<T: Clone + Send + Sync + 'static>(
    values: &'static [(&'static str, &'static str)],
    by_name: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    let values = values.iter().map(|(name, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(values).try_map(move |name| by_name(&name).ok_or("the value is not known"))
}
