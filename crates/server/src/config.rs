//! Every setting of Salon: as written (TOML, environment, flags) turned into as meant.
//! Invariant: a `Config` that `load` returned is consistent; nothing behind it asks for a setting's text again.
//! Next: `config/settings.rs`, the one table; `config/load.rs` for the sources and their order, `config/together.rs` for what
//! settings demand of each other.

mod check;
mod dev;
mod env;
mod example;
mod levels;
mod load;
mod mistakes;
mod nearest;
mod parts;
mod settings;
mod table;
mod together;
mod value;

pub use dev::{DEV_ACCOUNT, DEV_APP, DEV_INGEST, DEV_TOKEN};
pub use env::env_name;
pub use example::{effective, example};
pub use levels::levels;
pub use load::{Flag, Sources};
pub use mistakes::{ConfigError, ConfigErrors, Origin, Origins};
pub use settings::{Config, Log, Media, Mode, SETTINGS, Setting};
pub use value::{LogFormat, LoginUrl, Secret, TranscriptionEngine};
