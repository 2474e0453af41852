//! Every bound of the crate on one page. A bound that is reached refuses, drops or closes; it never grows.
//! The ones an operator may want to change are in [`Limits`]; the rest are constants of the protocol.

use std::time::Duration;

/// How much one process, room and transport may hold.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Transports in the process. Each idle connected one costs about 100 KB.
    pub transports: usize,
    /// Transports in a room; a peer has two, and for a while four when its connections broke.
    pub transports_per_room: usize,
    /// Transports of one owner in a room: some tabs, each with two, and while their connections break four.
    pub transports_per_owner: usize,
    /// Transports of people who are not in the meeting: of one owner in a room, in a room, in the process.
    pub outside_per_owner: usize,
    pub outside_per_room: usize,
    pub outside: usize,
    /// How long they may have them: as long as people linger on a setup screen or wait to be let in.
    pub outside_for: Duration,
    /// Tracks one transport may publish at once.
    pub producers_per_transport: usize,
    /// Tracks one transport may receive at once. The web SDK asks for at most about 70.
    pub consumers_per_transport: usize,
    /// RTP and RTCP packets a second of one publishing transport, in the long run; as many may come at once. What is beyond
    /// is dropped before it costs a decryption. A screen in 4K and three layers of a camera are about 5,000.
    pub packets_per_second: u32,
    /// Bit/s of one publishing transport, likewise.
    pub bits_per_second: u64,
    /// TCP connections for media in the process, each with a descriptor. A client that needs TCP has two.
    pub tcp_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transports: 6_000,
            transports_per_room: 6_000,
            transports_per_owner: 16,
            outside_per_owner: 4,
            outside_per_room: 400,
            outside: 1_000,
            outside_for: Duration::from_secs(600),
            producers_per_transport: 16,
            consumers_per_transport: 200,
            packets_per_second: 10_000,
            bits_per_second: 100_000_000,
            tcp_connections: 10_000,
        }
    }
}

/// Longest datagram looked at, in bytes. Nothing of WebRTC is longer than a path of 1500 bytes carries.
pub(crate) const DATAGRAM_BYTES: usize = 2_048;

/// SSRCs that one transport may send on at once: all its tracks in three layers, with their retransmissions.
pub(crate) const SSRCS_PER_TRANSPORT: usize = 128;

/// After so many, one transport may begin with another SSRC each time this has passed. str0m remembers each in some kilobytes
/// for as long as the connection lives; a camera in three layers that goes off and on takes six.
pub(crate) const SSRC_EVERY: Duration = Duration::from_secs(5);

/// An SSRC that was not heard for this long makes room for a new one.
pub(crate) const SSRC_QUIET_FOR: Duration = Duration::from_secs(10);

/// Reports of one subscriber a second. Browsers send about 20 of arrivals, and up to 50 for each stream that loses packets.
pub(crate) const REPORTS_PER_SECOND: u64 = 2_000;

/// Reports of arrivals that are read of one compound packet. Browsers send one.
pub(crate) const ARRIVALS_PER_REPORT: usize = 4;

/// STUN and DTLS datagrams of one transport a second, in the long run. Browsers check a few paths every 50 ms at first, and
/// then every 2.5 s.
pub(crate) const CONTROL_PER_SECOND: u64 = 200;

/// Checks for connections that nobody knows whose password is verified, a second. Each costs two HMACs. Lower saves CPU time
/// in a flood, higher tells clients of an earlier run sooner that it is over; unheard they find out within seconds.
pub(crate) const VERIFIED_PER_SECOND: u64 = 2_000;

/// The same from one address, or one IPv6 network: an office behind one address may have hundreds of clients.
pub(crate) const VERIFIED_PER_SOURCE: u64 = 500;

/// Addresses are told apart by so many classes.
pub(crate) const SOURCES: usize = 1_024;

/// Longest SDP accepted, in bytes. A browser's line for one track is about 3 KB with its full codec list;
/// raising this lets a client make us parse more per request.
pub(crate) const SDP_BYTES: usize = 1_500_000;

/// Most m-lines in one SDP, dead ones included. Must exceed consumers per transport plus what died unreused.
pub(crate) const SDP_LINES: usize = 600;

/// Most attributes kept of one m-line, of each kind; browsers write about 40 codecs and 15 extensions.
pub(crate) const SDP_ATTRIBUTES: usize = 256;

/// Most codecs taken of one m-line, or of one client; browsers offer about 12 that we forward.
pub(crate) const CODECS_PER_LINE: usize = 32;

/// Longest stream or track name taken from an `a=msid` line.
pub(crate) const MSID_BYTES: usize = 200;

/// Commands waiting for the media thread. When full, fire-and-forget commands are lost, so requests stop earlier.
pub(crate) const COMMAND_QUEUE: usize = 4_096;

/// Room in the command queue that only commands without an answer may use: they release things and must get in.
pub(crate) const COMMAND_RESERVE: usize = 1_024;

/// Events waiting for the server. Levels are dropped when it is half full, state waits in the thread.
pub(crate) const EVENT_QUEUE: usize = 1_024;

/// Remote addresses that may point to one transport; more than any client has network paths. While it connects, a client
/// has one for each of its networks, and on TCP one more for each of our addresses.
pub(crate) const ADDRESSES_PER_TRANSPORT: usize = 32;

/// Simulcast layers of one producer. The web SDK sends up to three; more are ignored.
pub(crate) const LAYERS_PER_PRODUCER: usize = 4;

/// A layer without packets for this long is dead. Lower falls back sooner, but a frozen screen share at one
/// frame per second must not count as dead.
pub(crate) const LAYER_DEAD_AFTER: Duration = Duration::from_millis(1_500);

/// How often a producer's layers are looked at while packets come in.
pub(crate) const LAYER_CHECK_EVERY: Duration = Duration::from_millis(250);

/// The rate of a layer is measured over this time.
pub(crate) const METER_EVERY: Duration = Duration::from_millis(500);

/// A subscriber's line is shared out anew this often while it reports. Lower follows its estimate sooner, and switches
/// more.
pub(crate) const ALLOCATE_EVERY: Duration = Duration::from_millis(200);

/// The same while it carries twice what is wanted of it: there is little to decide.
pub(crate) const ALLOCATE_CALMLY: Duration = Duration::from_secs(1);

/// Subscribers whose line carries too little are looked at again this often, reports or not.
pub(crate) const HUNGRY_EVERY: Duration = Duration::from_millis(500);

/// Key frame requests for one layer are at least this far apart; the first goes out at once. Lower helps late
/// joiners start sooner, higher spares the publisher's bandwidth in rooms where many ask.
pub(crate) const KEY_FRAME_EVERY: Duration = Duration::from_millis(500);

/// Packets kept per layer of video to send again: about 2 s of a 2.5 Mbit/s stream. Each consumer notes as many, in
/// about 20 bytes each.
pub(crate) const RESEND_PACKETS: usize = 512;

/// A packet is sent again in so many copies at most: with a fifth lost, four fail for one packet in three thousand.
pub(crate) const COPIES_AT_MOST: u8 = 4;

/// Packets a subscriber may ask for again before it has got as many new ones. With less, a burst of loss freezes the
/// picture; with more, a client that always asks doubles what it costs.
pub(crate) const RESEND_CREDIT: usize = 512;

/// How old a packet may be and still be sent again.
pub(crate) const RESEND_AGE: Duration = Duration::from_secs(2);

/// How old the last key frame of a stream may be for a newcomer to begin with it and all that followed; else a new one is asked
/// for. Higher asks less, and sends more of the past. What of it is lost must not be too old to be sent again.
pub(crate) const REPLAY_AGE: Duration = Duration::from_millis(1_450);

/// How much that may be: half a second of 4 Mbit/s, and so many packets that what comes meanwhile does not push them out.
pub(crate) const REPLAY_BYTES: usize = 256 << 10;
pub(crate) const REPLAY_PACKETS: u64 = RESEND_PACKETS as u64 * 3 / 4;

/// What a publisher's line lost comes again within this time or not at all.
pub(crate) const REPAIR_WITHIN: Duration = Duration::from_millis(250);

/// A newcomer's line must carry what it is given of the past within this time, for all tracks together: else new key frames
/// are as good.
pub(crate) const REPLAY_WITHIN: Duration = Duration::from_millis(300);

/// It leaves in portions this far apart, each no more than the line carries in that time.
pub(crate) const REPLAY_EVERY: Duration = Duration::from_millis(10);

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

/// A connection is this old before its publisher is told to send less: a browser learns in its first seconds what its line
/// carries, and goes back to that at once when it may.
pub(crate) const HOLD_AFTER: Duration = Duration::from_secs(15);

/// A path that a client used and from which nothing came for this long may be replaced by one that it only checks.
/// Clients check the path they use every 2.5 s.
pub(crate) const PATH_QUIET_FOR: Duration = Duration::from_secs(6);

/// How often a client is asked whether it wants what it gets at its address, and how soon again if it does not answer:
/// lower finds out sooner, higher costs less. Both only when something comes from there.
pub(crate) const CONSENT_EVERY: Duration = Duration::from_secs(4);
pub(crate) const CONSENT_AGAIN: Duration = Duration::from_millis(50);

/// How long an answer counts. A line that loses everything for so long needs a moment more when it is back.
pub(crate) const CONSENT_LASTS: Duration = Duration::from_secs(15);

/// Addresses of one client that are told apart by whether they have answered.
pub(crate) const CONSENT_ADDRESSES: usize = 8;

/// What may go to an address where nobody has answered yet, in terms of what came from there: a handshake, and no media.
pub(crate) const UNASKED_TIMES: usize = 3;

/// Sender reports of one stream are this far apart; browsers keep sound and picture in step by them.
pub(crate) const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The kernel takes at most this many datagrams in one call (UDP_MAX_SEGMENTS), and this many bytes.
pub(crate) const RUN_DATAGRAMS: usize = 64;
pub(crate) const RUN_BYTES: usize = 60_000;

/// What leaves with one call for several addresses: runs, and about so many bytes. More saves calls; too much has left the
/// processor's cache by the time the kernel copies it.
pub(crate) const OUTBOX_RUNS: usize = 64;
pub(crate) const OUTBOX_BYTES: usize = 128 << 10;

/// A busy machine leaves datagrams with the kernel for this long at most; if they seem to have been there for longer, its clock
/// was set.
pub(crate) const HELD_BY_KERNEL: Duration = Duration::from_secs(1);

/// How long packets wait to leave together with others, for each packet that left the last time. A thread that is
/// nearly idle sends at once; a busy one saves most of its system calls.
pub(crate) const GATHER_PER_PACKET: Duration = Duration::from_micros(3);

/// The longest that packets wait. Browsers themselves send video in bursts 5 ms apart.
pub(crate) const GATHER_AT_MOST: Duration = Duration::from_millis(4);

/// How long the first packet of a burst waits for the others on a thread that gathers for as long at least, though nothing
/// has left for a while: a browser needs about so much to write one. What is sent in two halves costs twice.
pub(crate) const LINGER: Duration = Duration::from_micros(200);

/// A media thread that has not turned for this long is stuck: it wakes up at least as often as it keeps house.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(15);

/// A media thread that lost everything by a bug goes on; so often within this time, and then no more: it would only burn.
pub(crate) const RESTARTS: usize = 5;
pub(crate) const RESTARTS_WITHIN: Duration = Duration::from_secs(60);

/// Media threads in a process: as many as there are letters in ICE names.
pub(crate) const THREADS_AT_MOST: usize = 64;

/// Things that wait to go to another media thread that does not take them: more are dropped, unless they are news.
pub(crate) const CROSSING_BACKLOG: usize = 4_096;

/// Batches of such things on their way to one thread; past this they wait and become larger.
pub(crate) const CROSSING_BATCHES: usize = 64;

/// How soon to try again when another thread does not take what is for it.
pub(crate) const CROSSING_AGAIN: Duration = Duration::from_millis(2);

/// How long a packet that did not come from another node may be on its way still before it is asked for.
pub(crate) const RELAY_ASK_AFTER: Duration = Duration::from_millis(2);

/// How soon it is asked for again, at least.
pub(crate) const RELAY_ASK_AGAIN: Duration = Duration::from_millis(10);

/// For how long it is asked for, and kept for whoever asks. Later it would come too late to be shown.
pub(crate) const RELAY_REPAIR_WITHIN: Duration = Duration::from_millis(500);

/// What is kept of what was sent to one node, in bytes: half a second of 130 Mbit/s.
pub(crate) const RELAY_KEPT_BYTES: usize = 8 << 20;

/// Packets of one node that may be missing at once. More are not repaired: the path was gone.
pub(crate) const RELAY_MISSING: u64 = 1_024;

/// How soon after the last packet to a node it is told that this was the last, so that it misses it if it did not come.
pub(crate) const RELAY_LAST_AFTER: Duration = Duration::from_millis(10);

/// How often the path to another node is tried, and how long it may be silent before it counts as broken.
pub(crate) const RELAY_TRY_EVERY: Duration = Duration::from_millis(250);
pub(crate) const RELAY_SILENT_FOR: Duration = Duration::from_secs(3);

/// How often nodes tell each other which layers come in of what is watched there.
pub(crate) const RELAY_ALIVE_EVERY: Duration = Duration::from_millis(500);

/// How long a producer of another node may take to come, and how long it is kept here before anybody consumes it.
pub(crate) const RELAY_BEGINS_WITHIN: Duration = Duration::from_secs(2);
pub(crate) const RELAY_UNUSED_FOR: Duration = Duration::from_secs(10);

/// Commands that may wait for the thread for other nodes, and news that may wait to be carried to one: whoever has more waits,
/// and whoever fetches none is given up.
pub(crate) const RELAY_COMMANDS: usize = 1_024;

/// Producers of other nodes that one node watches, and of one node that another may watch.
pub const RELAY_STREAMS: usize = 16_384;

/// How long what comes in at another node stays here without a connection with that one, and what an earlier run had from there
/// is waited for. Longer than nodes look for each other.
pub(crate) const AWAITED_FOR: Duration = Duration::from_secs(20);

/// A mirror that nobody consumed since it was asked for is given up after this time.
pub(crate) const MIRROR_IDLE_FOR: Duration = Duration::from_secs(5);

/// What a transport counts for when a thread is chosen for a new one, in packets per second: a silent one costs, too.
pub(crate) const TRANSPORT_WEIGHS: u64 = 10;

/// What one that was opened a moment ago counts for besides, as it carries nothing yet; more where transports carry more.
pub(crate) const NEW_TRANSPORT_WEIGHS: u64 = 100;

/// A thread is much busier than another with twice its packets and this many more per second, which is about a fifth of
/// what it can: then a room spreads although it is small.
pub(crate) const MUCH_BUSIER_BY: u64 = 50_000;

/// How often str0m reports its retransmission counters to us. Lower costs a walk over all streams each time.
pub(crate) const STATS_EVERY: Duration = Duration::from_secs(10);

/// TCP connections that have not shown a genuine check yet, in the process and from one address; half of
/// [`Limits::tcp_connections`] at most, and of these a quarter. A school behind one
/// address must get in when its lesson begins; higher lets a stranger hold more of the process's descriptors.
pub(crate) const TCP_UNPROVEN: usize = 2_048;
pub(crate) const TCP_UNPROVEN_PER_ADDRESS: usize = 512;

/// How long a TCP connection may take for its first check, and how long the server may not know its client. Browsers
/// check every half second at least while they connect.
pub(crate) const TCP_PROVEN_WITHIN: Duration = Duration::from_secs(10);

/// Checks a TCP connection may send before one is genuine; each costs a signature.
pub(crate) const TCP_CHECKS_UNPROVEN: usize = 32;

/// What waits to be written to one TCP client, at most. Raising it makes what a slow line delivers older, and the estimate
/// of that line worse; half a second at 1 Mbit/s.
pub(crate) const TCP_QUEUE_BYTES: usize = 64 << 10;

/// From here on nothing longer than `TCP_LONG` joins the queue: that is video, and the rest is kept for sound, checks and
/// reports.
pub(crate) const TCP_QUEUE_BYTES_LONG: usize = 48 << 10;
pub(crate) const TCP_LONG: usize = 400;

/// What the kernel keeps unsent of one TCP connection (TCP_NOTSENT_LOWAT), beside what is on its way.
pub(crate) const TCP_KERNEL_BYTES: u32 = 16 << 10;

/// A TCP client that read nothing for this long, though there was something, is let go.
pub(crate) const TCP_STALLED_FOR: Duration = Duration::from_secs(10);

/// How often TCP connections are looked at for the bounds above.
pub(crate) const TCP_SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How long after a run was last alive its connections may be gone on with. Browsers give one up when nothing came from it for
/// 15 s; more keeps keys longer.
pub(crate) const RESUME_WITHIN_MS: u64 = 20_000;

/// A run that went on with connections and ended sooner than this came to that end by them, perhaps.
pub(crate) const RESUME_AGAIN_AFTER_MS: u64 = 10_000;
