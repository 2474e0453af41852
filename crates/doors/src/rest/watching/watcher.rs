//! One who watches: what it is sent, until it goes or has to.
//! Invariant: the last thing that it is sent says why there is nothing more, unless it went by itself.
//! Who reads slowly loses its place and nobody else's; who has no key any more is sent nothing more.
//! Next: `feed.rs`, where it comes from.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
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
pub struct Watcher<K> {
    /// What it is sent first.
    pub backlog: VecDeque<Bytes>,
    /// What follows; without, the backlog is all.
    pub news: Option<broadcast::Receiver<Frame>>,
    /// It goes on after the end of a session.
    pub stays: bool,
    /// What it hears of one session as well, until that is over.
    pub also: Option<broadcast::Receiver<Frame>>,
    pub guard: Guard,
    /// Where it comes from, kept for as long as it is heard.
    pub _kept: K,
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
struct Course<K> {
    watcher: Watcher<K>,
    beat_at: Instant,
    key_at: Instant,
}

impl<K: Send + Sync + 'static> Watcher<K> {
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

/// The next thing that is heard, if anything is listened to.
async fn heard(news: &mut Option<broadcast::Receiver<Frame>>) -> Result<Frame, RecvError> {
    match news {
        Some(news) => news.recv().await,
        None => pending().await,
    }
}

impl<K> Course<K> {
    /// What it is sent next, and how it goes on after that.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        if let Some(text) = self.watcher.backlog.pop_front() {
            return Some((text, Some(self)));
        }
        loop {
            let Watcher { news, stays, also, guard, .. } = &mut self.watcher;
            let news = news.as_mut()?;
            let (heard, goes_on) = tokio::select! {
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
                said = news.recv() => {
                    let is_over = matches!(&said, Ok(Frame { what: What::End { .. }, .. }));
                    (said, !is_over || *stays)
                }
                said = heard(also) => {
                    if let Ok(Frame { what: What::End { .. }, .. }) = &said {
                        *also = None;
                    }
                    (said, true)
                }
                () = sleep_until(self.beat_at) => (Ok(Frame { what: What::State, text: BEAT }), true),
            };
            let (text, goes_on) = match heard {
                Ok(Frame { what: What::Bye, text }) => (text, false),
                Ok(frame) => (frame.text, goes_on),
                Err(RecvError::Lagged(_)) => (bye(ByeBecause::TooSlow), false),
                Err(RecvError::Closed) => (bye(ByeBecause::Unavailable), false),
            };
            self.beat_at = Instant::now() + BEAT_EVERY;
            return Some((text, goes_on.then_some(self)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus_client::registry::Registry;
    use salon_cluster::Hints;
    use salon_core::AccountId;
    use salon_store::{OpenOptions, Store};

    use super::*;
    use crate::metrics::Metrics;
    use crate::rest::settings::Watchers;
    use crate::rest::watching::seats::Seats;

    fn step(seq: u64) -> Frame {
        Frame { what: What::Step { prev: seq - 1, seq }, text: format!("{seq} ").into() }
    }

    /// What one who reads nothing until all of it has happened is sent.
    async fn hears(news: &[Frame], stays: bool, room: usize) -> String {
        let path = std::env::temp_dir().join(format!("salon-watcher-{}-{room}-{stays}.db", std::process::id()));
        let options = OpenOptions { url: format!("sqlite:{}", path.display()), durable: false, max_connections: 1 };
        let store = Store::open(&options).await.unwrap();
        let most = Watchers { of_node: 1, of_one: 1, of_account: 1, of_key: 1 };
        let seats = Seats::new(most, Arc::new(Metrics::registered(&mut Registry::default())));
        let guard = Guard {
            keys: Keys::new(store.clone(), Hints::default()),
            key: KeyHash([0; 32]),
            app: AppId::parse("app").unwrap(),
            clock: Clock::start(),
            stop: CancellationToken::new(),
            _seat: seats.take(&["m"], &AccountId::parse("a").unwrap(), KeyHash([0; 32])).unwrap(),
        };
        let (told, heard) = broadcast::channel(room);
        let watcher = Watcher { backlog: ["first ".into()].into(), news: Some(heard), stays, also: None, guard, _kept: () };
        let answer = watcher.answer();
        for frame in news {
            let _ = told.send(frame.clone());
        }
        drop(told);
        let heard = axum::body::to_bytes(answer.into_body(), 10_000).await;
        store.close().await;
        let _ = std::fs::remove_file(&path);
        String::from_utf8(heard.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn who_reads_slowly_is_told_so_and_nothing_after_that() {
        let many: Vec<_> = (1..=10).map(step).collect();
        let slow = "event: bye\ndata: {\"reason\":\"too_slow\",\"resume\":true}\n\n";
        assert_eq!(hears(&many, false, 8).await, format!("first {slow}"), "a gap is not passed over");
        let unavailable = "event: bye\ndata: {\"reason\":\"unavailable\",\"resume\":true}\n\n";
        assert_eq!(hears(&many, false, 16).await, format!("first 1 2 3 4 5 6 7 8 9 10 {unavailable}"));
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_session_unless_it_waits_for_the_next() {
        let mut news = vec![step(1), step(2)];
        news[1].what = What::End { prev: 1, seq: 2 };
        news.push(Frame { what: What::State, text: "none ".into() });
        news.push(Frame { what: What::Bye, text: "bye".into() });
        news.push(step(3));
        assert_eq!(hears(&news, false, 32).await, "first 1 2 ");
        assert_eq!(hears(&news, true, 64).await, "first 1 2 none bye");
    }
}
