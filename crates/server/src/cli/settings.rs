//! The arguments that give settings, turned into sources.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Flag, Mode, Sources};

/// For every command that reads the settings of a server.
#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// The TOML file with the settings; salon.example.toml shows them all
    #[arg(long, value_name = "FILE", env = "SALON_CONFIG")]
    config: Option<PathBuf>,
    /// Give one setting, such as limits.sockets=500; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl SettingsArgs {
    pub fn sources(self, mode: Mode) -> Sources {
        Sources { file: self.config, set: self.set, ..Sources::of_process(mode) }
    }
}

/// For `salon dev`, which reads no file.
#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// Where to serve; must be an address of this computer only
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The folder for everything that is kept
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// The first UDP port for media, of as many as there are media threads; 0 picks free ones
    #[arg(long, value_name = "PORT")]
    media_port: Option<String>,
    /// Give one setting, such as log.level=debug; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl DevArgs {
    pub fn sources(self) -> Sources {
        // As text: a wrong value is then reported with all other mistakes.
        let flags =
            [("--listen", "listen", self.listen), ("--data", "data", self.data), ("--media-port", "media.port", self.media_port)];
        let given = flags.into_iter().filter_map(|(flag, key, value)| Some(Flag { flag, key, value: value? }));
        Sources { set: self.set, flags: given.collect(), ..Sources::of_process(Mode::Dev) }
    }
}
