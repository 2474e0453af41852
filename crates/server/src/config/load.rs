//! From the sources, in rising order (defaults, file, environment, `--set`, flags), to one `Config`.
//! Invariant: every mistake in every source is reported at once, each naming the setting, its source and what to give.
//! Never prints a value that may hold a secret.
//! Next: `together.rs`, for what settings demand of each other.

use std::ffi::OsString;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::dev::DEV_INGEST;
use super::env::{ENV_PREFIX, env_name};
use super::mistakes::{ConfigError, ConfigErrors, Origin, Origins};
use super::nearest::nearest;
use super::settings::{Config, Mode, SECTIONS, SETTINGS, Setting};
use super::together::together;
use super::value::Given;

/// Where settings are looked for.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub mode: Mode,
    pub file: Option<PathBuf>,
    /// Variables of the environment; those of others are passed over.
    pub env: Vec<(OsString, OsString)>,
    /// `section.key=value`, as behind `--set`. Of two for one setting, the later counts.
    pub set: Vec<String>,
    pub flags: Vec<Flag>,
}

/// A setting with a command line flag of its own.
#[derive(Debug, Clone)]
pub struct Flag {
    /// As typed: `--listen`.
    pub flag: &'static str,
    pub key: &'static str,
    pub value: String,
}

impl Sources {
    /// The environment of this process, and nothing else yet.
    pub fn of_process(mode: Mode) -> Self {
        Self { mode, env: std::env::vars_os().collect(), ..Self::default() }
    }
}

impl Config {
    /// Reads all sources.
    ///
    /// # Errors
    /// All mistakes in them.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        Self::load_with_origins(sources).map(|(config, _)| config)
    }

    /// Reads all sources, and tells which one each value came from.
    ///
    /// # Errors
    /// All mistakes in them.
    pub fn load_with_origins(sources: &Sources) -> Result<(Self, Origins), ConfigErrors> {
        let mut load = Load::new(sources.mode);
        if let Some(path) = &sources.file {
            load.file(path);
        }
        load.env(&sources.env);
        load.set(&sources.set);
        for Flag { flag, key, value } in &sources.flags {
            load.give(key, &Given::Untyped(value.clone()), Origin::Flag(flag));
        }
        load.finish()
    }
}

/// A `Config` in the making.
struct Load {
    config: Config,
    origins: Origins,
    errors: Vec<ConfigError>,
}

impl Load {
    fn new(mode: Mode) -> Self {
        let mut config = Config { mode, ..Config::default() };
        let mut origins = Origins::default();
        if mode == Mode::Dev {
            config.limits.api_requests_per_5_minutes = 0;
            origins.set("limits.api_requests_per_5_minutes", Origin::Dev);
            config.livestreams.ingest_listen = vec![DEV_INGEST];
            origins.set("livestreams.ingest_listen", Origin::Dev);
        }
        Self { config, origins, errors: Vec::new() }
    }

    fn finish(mut self) -> Result<(Config, Origins), ConfigErrors> {
        self.config.resolve();
        self.config.media.port_is_default = self.origins.of("media.port") == Origin::Default;
        if self.errors.is_empty() {
            // Only then: a value that was not taken would be blamed for what its default does.
            self.errors = together(&self.config, &self.origins);
        }
        if self.errors.is_empty() { Ok((self.config, self.origins)) } else { Err(ConfigErrors(self.errors)) }
    }

    fn error(&mut self, text: String) {
        self.errors.push(ConfigError(text));
    }

    /// Takes one value.
    fn give(&mut self, key: &str, given: &Given, origin: Origin) {
        let Some(setting) = Setting::find(key) else {
            self.unknown(key, &origin);
            return;
        };
        match (setting.assign)(&mut self.config, given) {
            Ok(()) => {
                self.origins.set(setting.key, origin);
            }
            Err(expected) if setting.is_secret => self.error(format!("{key} ({origin}) must be {expected}")),
            Err(expected) => self.error(format!("{key} is {given} ({origin}), but must be {expected}")),
        }
    }

    fn unknown(&mut self, key: &str, origin: &Origin) {
        let nearest = nearest(key, SETTINGS.iter().map(|setting| setting.key));
        self.error(format!("{key} ({origin}) is not a setting; the nearest is {nearest}"));
    }

    fn file(&mut self, path: &PathBuf) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(err) => return self.error(format!("the settings in {} cannot be read: {err}", path.display())),
        };
        let line = |at: usize| 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count();
        let table = match DeTable::parse(&text) {
            Ok(table) => table,
            Err(err) => {
                // The message without its excerpt, which might show a password.
                let line = err.span().map_or(1, |span| line(span.start));
                return self.error(format!("{}:{line} is not TOML: {}", path.display(), err.message()));
            }
        };
        let origin = |at: usize| Origin::File { path: path.clone(), line: line(at) };
        for (name, value) in in_order(table.get_ref()) {
            let at = origin(name.span().start);
            let name = name.get_ref().as_ref();
            let is_section = SECTIONS.iter().any(|section| section.name == name);
            match value.get_ref() {
                DeValue::Table(section) if is_section => {
                    for (key, value) in in_order(section) {
                        let at = origin(key.span().start);
                        self.give(&format!("{name}.{}", key.get_ref()), &Given::from_toml(value.get_ref()), at);
                    }
                }
                DeValue::Table(_) if Setting::find(name).is_none() => {
                    let nearest = nearest(name, SECTIONS.iter().map(|section| section.name));
                    self.error(format!("[{name}] ({at}) is not a section; the nearest is [{nearest}]"));
                }
                _ if is_section => self.error(format!("{name} ({at}) is a section: write [{name}], then its settings")),
                value => self.give(name, &Given::from_toml(value), at),
            }
        }
    }

    fn env(&mut self, env: &[(OsString, OsString)]) {
        for (name, value) in env {
            let Some(name) = name.to_str().filter(|name| name.starts_with(ENV_PREFIX) && !is_foreign(name)) else { continue };
            let origin = Origin::Env(name.to_owned());
            let Some(value) = value.to_str() else {
                self.error(format!("{name} is not UTF-8"));
                continue;
            };
            match SETTINGS.iter().find(|setting| env_name(setting.key) == name) {
                Some(setting) => self.give(setting.key, &Given::Untyped(value.to_owned()), origin),
                None => {
                    let names: Vec<String> = SETTINGS.iter().map(|setting| env_name(setting.key).to_ascii_lowercase()).collect();
                    let nearest = nearest(name, names.iter().map(String::as_str)).to_ascii_uppercase();
                    self.error(format!("{name} (environment) is not a setting; the nearest is {nearest}"));
                }
            }
        }
    }

    fn set(&mut self, set: &[String]) {
        for text in set {
            match text.split_once('=') {
                Some((key, value)) => self.give(key.trim(), &Given::Untyped(value.to_owned()), Origin::Set),
                None => {
                    let key = nearest(text, SETTINGS.iter().map(|setting| setting.key));
                    self.error(format!("--set {text} has no value: write --set {key}=VALUE"));
                }
            }
        }
    }
}

/// The entries of a table as they stand in the file: mistakes are told from the top down.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

/// Variables that begin like ours and are none: that of `--config`, those of tests, and those that Kubernetes gives every
/// pod beside a service named `salon`.
fn is_foreign(name: &str) -> bool {
    let name = &name[ENV_PREFIX.len()..];
    name == "CONFIG"
        || name == "PORT"
        || ["TEST_", "PORT_", "SERVICE_HOST", "SERVICE_PORT"].iter().any(|theirs| name.starts_with(theirs))
}
