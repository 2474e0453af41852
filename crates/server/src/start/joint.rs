//! Joins live sessions and media, and sessions and recordings, which have not heard of each other: orders go one way, news
//! the other.

use std::sync::Arc;
use std::time::Duration;

use salon_core::session::Media as Order;
use salon_core::{MeetingId, PeerId, TrackId};
use salon_live::{Hub, Orders, Place, Remote, StopRecording};
use salon_media::{Find, News, Owners, Whereabouts};
use salon_recordings::Stops;
use salon_sfu::ProducerId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The media side, as sessions command it.
pub struct Media(pub Arc<Owners>);

impl Orders for Media {
    fn obey(&self, meeting: &MeetingId, order: Order) {
        match order {
            Order::CloseTrack { track } => self.0.drop_producer(&ProducerId::from(track.as_str())),
            Order::PauseTrack { track, paused } => self.0.pause(&track, paused),
            Order::CloseTransports { peer } => self.0.close_peer(meeting, &peer),
            Order::Inside { participant, inside } => self.0.set_inside(meeting, &participant, inside),
        }
    }

    fn forget(&self, meeting: &MeetingId, peer: &PeerId) {
        self.0.close_peer(meeting, peer);
    }

    fn take_down(&self, meeting: &MeetingId) {
        self.0.take_down(meeting);
    }

    fn flowing(&self, meeting: &MeetingId) -> Vec<TrackId> {
        self.0.tracks_in(meeting)
    }

    fn may_flow(&self, meeting: &MeetingId, people: Vec<(PeerId, Vec<(TrackId, bool)>)>) -> Vec<TrackId> {
        self.0.may_flow(meeting, people)
    }

    fn cut_off(&self, meeting: &MeetingId, peers: Vec<PeerId>, ago: Duration) {
        self.0.cut_off(meeting, peers, ago);
    }
}

/// Finds the sessions of people whose media are here.
pub fn find(hub: Hub) -> Find {
    Box::new(move |meeting| {
        let hub = hub.clone();
        Box::pin(async move {
            match hub.place(&meeting).await {
                Ok(Some(Place::Here(_))) => Whereabouts::Here,
                Ok(Some(Place::There(Remote { address: Some(address), .. }))) => Whereabouts::At(address),
                // It has no port for nodes, or is about to say where.
                Ok(Some(Place::There(_))) => Whereabouts::Unreachable,
                Ok(None) => Whereabouts::Nowhere,
                Err(_) => Whereabouts::Unknown,
            }
        })
    })
}

/// Has recordings stop when their sessions say so.
pub fn stop(stops: Stops) -> StopRecording {
    Arc::new(move |recording, why| stops.tell(recording, why))
}

/// Tells sessions what the media side has to say, until that or the node stops.
pub async fn tell(hub: Hub, mut news: mpsc::Receiver<News>, tasks: TaskTracker, stop: CancellationToken) {
    while let Some(Some(news)) = stop.run_until_cancelled(news.recv()).await {
        match news {
            // A client whose socket is gone publishes anew when it is back, and its tracks end then.
            News::Lost { meeting, peer, track } => {
                let Some(session) = hub.find(meeting.as_str()) else { continue };
                // One session that takes its time keeps no other waiting.
                tasks.spawn(async move {
                    let _ = session.call(move |session, now| session.unpublish(now, &peer, &track)).await;
                });
            }
            News::Speaks { meeting, peer } => {
                let Some(session) = hub.find(meeting.as_str()) else { continue };
                session.tell(move |session, now| {
                    // Someone who has left meanwhile does not speak.
                    let _ = session.handle_voice(now, &peer);
                });
            }
        }
    }
}
