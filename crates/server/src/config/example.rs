//! The table of settings as text: `salon.example.toml`, and what `salon check-config` prints.
//! Invariant: the example is TOML with and without its settings commented out, and says nothing but the defaults.

use std::fmt::Write;

use super::env::env_name;
use super::mistakes::Origins;
use super::settings::{Config, SECTIONS, SETTINGS, Setting};

const HEAD: &str = "\
# Every setting of Salon with its default. Made from the code; do not edit this copy.
#
# Copy it, remove the `#` before what you change, and start `salon serve --config FILE`. A setting may also be given by
# the environment (its variable stands beside it), by `--set SECTION.KEY=VALUE`, or by a flag; the later in this
# order wins. Lists may be written as text with commas. `salon check-config --config FILE` shows what is in effect.
";

/// The text of `salon.example.toml`.
pub fn example() -> String {
    // Not those of this computer, such as its name.
    let mut defaults = Config::default();
    defaults.node.name.clear();
    let mut text = HEAD.to_owned();
    for (section, settings) in by_section() {
        if let Some(section) = SECTIONS.iter().find(|known| known.name == section) {
            text.push('\n');
            comment(&mut text, section.doc);
            let _ = writeln!(text, "[{}]", section.name);
        }
        for setting in settings {
            text.push('\n');
            comment(&mut text, setting.doc);
            let _ = writeln!(text, "# Environment: {}", env_name(setting.key));
            let _ = writeln!(text, "#{} = {}", setting.name, (setting.show)(&defaults));
        }
    }
    text
}

/// All settings in effect as TOML, each with where it came from, and without secrets.
pub fn effective(config: &Config, origins: &Origins) -> String {
    let mut text = String::new();
    for (section, settings) in by_section() {
        if !section.is_empty() {
            let _ = writeln!(text, "\n[{section}]");
        }
        for setting in settings {
            let origin = match (setting.key, origins.of(setting.key)) {
                ("database.url", _) if config.database.url.is_empty() => format!("default: {}", config.database_url()),
                (_, origin) => origin.to_string(),
            };
            let _ = writeln!(text, "{} = {}  # {origin}", setting.name, (setting.show)(config));
        }
    }
    text
}

fn by_section() -> impl Iterator<Item = (&'static str, &'static [Setting])> {
    SETTINGS.chunk_by(|a, b| a.section == b.section).map(|settings| (settings[0].section, settings))
}

fn comment(text: &mut String, doc: &[&str]) {
    for line in doc {
        // A doc comment's line begins with the blank behind its slashes.
        let _ = writeln!(text, "#{}", line.trim_end());
    }
}
