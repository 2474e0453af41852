//! Every bound of the crate on one page. A bound that is reached refuses, drops or closes; it never grows.
//! The ones an operator may want to change are in [`Limits`]; the rest are constants of the protocol.

use std::time::Duration;

/// How much one process, room and transport may hold.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Transports in the process. Each idle connected one costs about 100 KB.
    pub transports: usize,
    /// Transports in a room; a peer has two, so this is twice the people.
    pub transports_per_room: usize,
    /// Tracks one transport may publish at once.
    pub producers_per_transport: usize,
    /// Tracks one transport may receive at once. The web SDK asks for at most about 70.
    pub consumers_per_transport: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { transports: 4_000, transports_per_room: 1_000, producers_per_transport: 16, consumers_per_transport: 200 }
    }
}

/// Longest SDP accepted, in bytes. A browser's line for one track is about 3 KB with its full codec list;
/// raising this lets a client make us parse more per request.
pub(crate) const SDP_BYTES: usize = 1_500_000;

/// Most m-lines in one SDP, dead ones included. Must exceed consumers per transport plus what died unreused.
pub(crate) const SDP_LINES: usize = 600;

/// Most attributes kept of one m-line, of each kind; browsers write about 40 codecs and 15 extensions.
pub(crate) const SDP_ATTRIBUTES: usize = 256;

/// Longest stream or track name taken from an `a=msid` line.
pub(crate) const MSID_BYTES: usize = 200;

/// Largest datagram read, in bytes. WebRTC stays below 1500; a longer one is cut and dropped by its parser.
pub(crate) const DATAGRAM_BYTES: usize = 2_000;

/// Commands waiting for the media thread. When full, fire-and-forget commands are lost, so requests stop earlier.
pub(crate) const COMMAND_QUEUE: usize = 4_096;

/// Room in the command queue that only commands without an answer may use: they release things and must get in.
pub(crate) const COMMAND_RESERVE: usize = 1_024;

/// Events waiting for the server. Levels are dropped when it is half full, state waits in the thread.
pub(crate) const EVENT_QUEUE: usize = 1_024;

/// Remote addresses that may point to one transport; more than any client has network paths.
pub(crate) const ADDRESSES_PER_TRANSPORT: usize = 8;

/// Simulcast layers of one producer. The web SDK sends up to three; more are ignored.
pub(crate) const LAYERS_PER_PRODUCER: usize = 4;

/// A layer without packets for this long is dead. Lower falls back sooner, but a frozen screen share at one
/// frame per second must not count as dead.
pub(crate) const LAYER_DEAD_AFTER: Duration = Duration::from_millis(1_500);

/// How often a producer's layers are looked at while packets come in.
pub(crate) const LAYER_CHECK_EVERY: Duration = Duration::from_millis(250);

/// Key frame requests for one layer are at least this far apart; the first goes out at once. Lower helps late
/// joiners start sooner, higher spares the publisher's bandwidth in rooms where many ask.
pub(crate) const KEY_FRAME_EVERY: Duration = Duration::from_millis(500);

/// Packets kept per video consumer to answer retransmission requests: about 2 s of a 2.5 Mbit/s stream.
pub(crate) const RESEND_PACKETS: usize = 600;

/// How old a packet may be and still be sent again.
pub(crate) const RESEND_AGE: Duration = Duration::from_secs(2);

/// A transport that never connected is closed after this time. Long, because people linger on the setup screen.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(120);

/// A connected transport from which nothing came for this long is dead: ICE consent checks come every few seconds
/// (RFC 7675 ends consent after 30 s).
pub(crate) const SILENT_FOR: Duration = Duration::from_secs(30);

/// How often all transports are looked at for the two bounds above.
pub(crate) const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(5);

/// A str0m timeout that lies in the past is honoured at once, but no more often than this in one go.
pub(crate) const OVERDUE_ROUNDS: usize = 16;

/// Loudness events of one producer are at least this far apart.
pub(crate) const LEVEL_EVERY: Duration = Duration::from_millis(200);

/// The bitrate granted to a publisher that only understands REMB, in bits per second.
pub(crate) const REMB_BITS_PER_SECOND: u64 = 4_000_000;

/// How often str0m reports its retransmission counters to us. Lower costs a walk over all streams each time.
pub(crate) const STATS_EVERY: Duration = Duration::from_secs(10);
