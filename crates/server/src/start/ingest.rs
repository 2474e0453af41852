//! The port to which others stream.

use std::net::SocketAddr;

use anyhow::Context;
use salon_edge::Port;
use tokio::net::TcpListener;

use crate::config::{Config, DEV_INGEST, Mode};

/// Opens it, if there is to be one; for `salon dev` the usual port, if it is taken, gives way to a free one.
pub fn open(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = config.livestreams.ingest_listen.first().copied() else { return Ok(None) };
    let take = |address: SocketAddr| Port::take(address).and_then(Port::open);
    let taken = match take(address) {
        Err(_) if config.mode == Mode::Dev && address == DEV_INGEST => take(SocketAddr::new(address.ip(), 0)),
        taken => taken,
    };
    let listener = taken.with_context(|| format!("cannot listen on {address} (livestreams.ingest_listen)"))?;
    tracing::info!(address = %listener.local_addr()?, "others may stream to here");
    Ok(Some(listener))
}
