//! Open files: the system gives a process so many, and everything that is connected takes one.
//! Invariant: what is shared out leaves enough for the database, for files and for what starts later.

use salon_edge::raise_descriptors;

use crate::config::Config;

/// Kept back for what nobody counts: logs, timers, libraries, the page, files that are read.
const KEPT_BACK: usize = 200;

/// Raises the limit as far as the settings need, and cuts down what they allow where the system gives less.
pub fn fit(config: &mut Config) {
    let kept = kept_back(config);
    let wanted = Shares { http: config.connections(), media: if config.media.tcp { config.media.tcp_connections } else { 0 } };
    let needed = kept + wanted.http + wanted.media;
    let limit = match raise_descriptors(needed) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "cannot find out how many files the system lets this process open");
            return;
        }
    };
    if limit >= needed {
        return;
    }
    let Shares { http, media } = wanted.within(limit.saturating_sub(kept));
    tracing::warn!(
        limit,
        needed,
        connections = http,
        media_connections = media,
        "the system lets this process open fewer files than the settings need, so it takes fewer connections: raise the limit \
         (LimitNOFILE, ulimit -n), or lower http.connections and media.tcp_connections"
    );
    config.http.connections = http;
    config.media.tcp_connections = media.max(1);
    // Requests need connections too.
    config.limits.sockets = config.limits.sockets.min(http / 5 * 4).max(1);
}

/// What connections may not have.
fn kept_back(config: &Config) -> usize {
    let threads = match config.media.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        set => set,
    };
    // A media thread has a socket, a poll and a waker; SQLite's readers have three files each; an upload has two ends.
    KEPT_BACK + 3 * threads + 3 * config.database.max_connections as usize + 2 * config.files.uploads_at_once
}

/// Connections for HTTP and for media over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    http: usize,
    media: usize,
}

impl Shares {
    /// As many as there are to share out: a quarter for media, if that wants so many.
    fn within(self, left: usize) -> Self {
        let media = self.media.min(left / 4);
        // With fewer nobody could ask anything.
        Self { http: self.http.min(left - media).max(16), media }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_is_shared_out() {
        let wanted = Shares { http: 24_000, media: 10_000 };
        assert_eq!(wanted.within(800), Shares { http: 600, media: 200 });
        assert_eq!(wanted.within(30_000), Shares { http: 22_500, media: 7_500 });
        assert_eq!(Shares { media: 0, ..wanted }.within(800), Shares { http: 800, media: 0 });
        assert_eq!(wanted.within(0), Shares { http: 16, media: 0 });
    }
}
