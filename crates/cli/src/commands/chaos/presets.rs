//! The output of `undrop chaos --list-presets`.

use undrop_chaos::preset;
use undrop_report::layout::wrap;

use crate::exit::{Code, Failure};

/// Prints the name, the product, the faults and the sources of each preset.
pub(super) fn list(json: bool) -> Result<(), Failure> {
    if json {
        let presets: Vec<serde_json::Value> = preset::all()
            .map(|preset| {
                serde_json::json!({
                    "name": preset.name, "title": preset.title, "about": preset.about,
                    "faults": preset.faults, "sources": preset.sources,
                })
            })
            .collect();
        let text = serde_json::to_string(&presets).map_err(|error| Failure::new(Code::Usage, error))?;
        say!("{text}");
        return Ok(());
    }
    let width = preset::all().map(|preset| preset.name.len()).max().unwrap_or_default();
    for preset in preset::all() {
        say!("{:width$}  {}", preset.name, preset.title);
        for line in wrap(&preset.about, 96) {
            say!("{:width$}  {line}", "");
        }
        for fault in preset::faults(&preset.name).map_err(|error| Failure::new(Code::Usage, error))? {
            say!("{:width$}    {fault}", "");
        }
        for source in &preset.sources {
            say!("{:width$}    source: {source}", "");
        }
        say!();
    }
    Ok(())
}
