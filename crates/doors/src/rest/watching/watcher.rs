//! One who watches: what it is sent, until it goes or has to.
//! Invariant: the last thing that it is sent says why there is nothing more, unless it went by itself.
//! Who reads slowly loses its place and nobody else's; who has no key any more is sent nothing more.
//! Next: `feed.rs`, where it comes from.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Response, header};
use salon_core::AppId;
use salon_live::Clock;
use salon_wire::rest::people::ByeBecause;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::keys::Keys;
use crate::rest::auth::KeyHash;
use crate::rest::watching::frame::{BEAT, Frame, What, bye};
use crate::rest::watching::seats::Seat;

/// How long a stream is silent at most. Proxies close what is silent for a minute.
const BEAT_EVERY: Duration = Duration::from_secs(15);

/// How often it is looked whether the key is still good.
const KEY_EVERY: Duration = Duration::from_secs(10);

/// Tells nginx not to gather the stream before it passes it on.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// One who watches.
pub struct Watcher<F> {
    /// What it is sent first.
    pub backlog: VecDeque<Bytes>,
    /// What follows; without, the backlog is all.
    pub news: Option<broadcast::Receiver<Frame>>,
    /// It goes on after the end of a session.
    pub stays: bool,
    pub guard: Guard,
    /// Kept for as long as it is heard.
    pub _feed: Arc<F>,
}

/// What ends a stream from outside.
pub struct Guard {
    pub keys: Keys,
    pub key: KeyHash,
    pub app: AppId,
    pub clock: Clock,
    pub stop: CancellationToken,
    pub _seat: Seat,
}

/// Where it stands between two things that it is sent.
struct Course<F> {
    watcher: Watcher<F>,
    beat_at: Instant,
    key_at: Instant,
}

impl<F: Send + Sync + 'static> Watcher<F> {
    /// The answer that goes on for as long as it watches.
    pub fn answer(self) -> Response<Body> {
        let now = Instant::now();
        let course = Course { watcher: self, beat_at: now + BEAT_EVERY, key_at: now + KEY_EVERY };
        let said = futures_util::stream::unfold(Some(course), async |course| {
            let (text, course) = course?.next().await?;
            Some((Ok::<_, Infallible>(text), course))
        });
        let mut response = Response::new(Body::from_stream(said));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
        response
    }
}

impl<F> Course<F> {
    /// What it is sent next, and how it goes on after that.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        if let Some(text) = self.watcher.backlog.pop_front() {
            return Some((text, Some(self)));
        }
        loop {
            let (news, guard) = (self.watcher.news.as_mut()?, &self.watcher.guard);
            let text = tokio::select! {
                biased;
                () = guard.stop.cancelled() => return Some((bye(ByeBecause::Shutdown), None)),
                () = sleep_until(self.key_at) => {
                    self.key_at = Instant::now() + KEY_EVERY;
                    // A store that cannot be asked revokes nothing.
                    let key = guard.keys.of_hash(guard.key.0, guard.clock.now()).await;
                    if key.is_ok_and(|key| key.is_none_or(|key| !key.reach.covers(&guard.app))) {
                        return Some((bye(ByeBecause::KeyRevoked), None));
                    }
                    continue;
                }
                heard = news.recv() => match heard {
                    Ok(frame) if matches!(frame.what, What::End { .. }) && !self.watcher.stays => return Some((frame.text, None)),
                    Ok(frame) => frame.text,
                    Err(RecvError::Lagged(_)) => return Some((bye(ByeBecause::TooSlow), None)),
                    Err(RecvError::Closed) => return Some((bye(ByeBecause::Unavailable), None)),
                },
                () = sleep_until(self.beat_at) => BEAT,
            };
            self.beat_at = Instant::now() + BEAT_EVERY;
            return Some((text, Some(self)));
        }
    }
}
