//! A connection between two nodes as long as it lasts: words both ways, and signs of life.
//! Invariant: what one side does not take makes the other wait, and for too long ends it; so does silence.

use std::time::Duration;

use salon_sfu::{RELAY_STREAMS, Told};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::words::{Word, read, write};

/// Words that wait to be acted on: who says more waits.
pub(super) const WORDS: usize = 1_024;

/// Words that wait to be sent, of each kind. Who has more to say does not wait, but ends the connection; so it is more than can
/// be said at once of all that one node may have at another: when a meeting of thousands ends, each of its connections is closed
/// in one go, and over a new connection all is watched again.
pub(super) const UNSENT: usize = 4 * RELAY_STREAMS;

/// How often a side says that it is there, and how long it may say nothing.
const SAYS_EVERY: Duration = Duration::from_secs(1);
const SILENT_FOR: Duration = Duration::from_secs(4);

/// What goes over one connection.
pub(super) struct Ways {
    pub out: mpsc::Receiver<Word>,
    pub told: mpsc::Receiver<Told>,
    pub heard: mpsc::Sender<Word>,
    /// Its path for datagrams is there.
    pub proven: CancellationToken,
    pub gone: CancellationToken,
}

/// Until either side is gone, or this one has had enough.
pub(super) async fn talk(stream: impl AsyncRead + AsyncWrite, ways: Ways) {
    let Ways { mut out, mut told, heard, proven, gone } = ways;
    let (mut from, mut to) = tokio::io::split(stream);
    let says = async {
        let mut every = tokio::time::interval(SAYS_EVERY);
        loop {
            let word = tokio::select! {
                word = out.recv() => word,
                told = told.recv() => match told {
                    Some(Told::News(news)) => Some(Word::News(news)),
                    Some(Told::Proven) => {
                        proven.cancel();
                        continue;
                    }
                    None => None,
                },
                _ = every.tick() => Some(Word::Here),
            };
            let Some(word) = word else { return };
            if !matches!(tokio::time::timeout(SILENT_FOR, write(&mut to, &word)).await, Ok(Some(()))) {
                return;
            }
        }
    };
    let hears = async {
        while let Ok(Some(word)) = tokio::time::timeout(SILENT_FOR, read(&mut from)).await {
            if !matches!(word, Word::Here) && heard.send(word).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = says => {}
        () = hears => {}
        () = gone.cancelled() => {}
    }
    gone.cancel();
}
