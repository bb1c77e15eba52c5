//! Fixes of the knowledge base as fixes of a finding.

use crate::Fix;

impl From<&undrop_infra::Fix> for Fix {
    fn from(known: &undrop_infra::Fix) -> Fix {
        let fix = Fix::block(known.language.clone(), known.text.clone(), known.reason.clone());
        match &known.validator {
            Some(command) => fix.validator(command.clone()),
            None => fix,
        }
    }
}
