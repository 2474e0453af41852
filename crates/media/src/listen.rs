//! Hears what the media server says and passes on what sessions have to know.

use std::sync::Arc;

use salon_sfu::Event;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::owners::Owners;

/// Listens until the media server or the node stops.
pub async fn listen(owners: Arc<Owners>, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
    while let Some(Some(event)) = stop.run_until_cancelled(events.recv()).await {
        match event {
            Event::TransportConnected { .. } => {}
            Event::TransportClosed { transport, reason } => {
                tracing::debug!(transport.id = %transport, ?reason, "a transport closed");
                owners.transport_closed(&transport).await;
            }
            Event::AudioLevel { producer, speaking: true, .. } => owners.speaks(&producer),
            Event::AudioLevel { .. } => {}
        }
    }
}
