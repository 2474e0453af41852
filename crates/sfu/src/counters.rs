//! What the media thread counts, and the picture of it that others may take.
//! Counters only grow; gauges are read when the picture is taken.

use std::time::Duration;

/// Why a datagram or packet went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// From an address no transport has proven, and not STUN for one of ours.
    Stranger,
    /// STUN for one of ours with a wrong password or otherwise not accepted.
    RefusedStun,
    /// STUN that was not verified, because too much of it came: for connections nobody knows, or for one from addresses
    /// that are new to it.
    Unverified,
    /// Not STUN, DTLS or RTP, or refused by the transport it was for.
    Malformed,
    /// A client sent more packets, bits, reports or checks in a second than it may.
    OverRate,
    /// RTP of more SSRCs than a client may send on.
    TooManyStreams,
    /// RTP on an m-line that no producer was announced for.
    NoProducer,
    /// RTP of a producer that the server has paused.
    Paused,
    /// RTP of a layer that the publisher may not send.
    BeyondCap,
    /// The socket's send buffer was full, or the queue of a TCP connection.
    SendBufferFull,
    /// The operating system refused to send, or the TCP connection is gone.
    SendFailed,
    /// An audio level nobody came to fetch.
    EventQueueFull,
    /// What was for another media thread, which does not keep up.
    CrossingFull,
}

impl DropReason {
    /// All of them, in the order of [`Snapshot::drops`].
    pub const ALL: [Self; 13] = [
        Self::Stranger,
        Self::RefusedStun,
        Self::Unverified,
        Self::Malformed,
        Self::OverRate,
        Self::TooManyStreams,
        Self::NoProducer,
        Self::Paused,
        Self::BeyondCap,
        Self::SendBufferFull,
        Self::SendFailed,
        Self::EventQueueFull,
        Self::CrossingFull,
    ];

    /// A short name for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::RefusedStun => "refused_stun",
            Self::Unverified => "unverified",
            Self::Malformed => "malformed",
            Self::OverRate => "over_rate",
            Self::TooManyStreams => "too_many_streams",
            Self::NoProducer => "no_producer",
            Self::Paused => "paused",
            Self::BeyondCap => "beyond_cap",
            Self::SendBufferFull => "send_buffer_full",
            Self::SendFailed => "send_failed",
            Self::EventQueueFull => "event_queue_full",
            Self::CrossingFull => "crossing_full",
        }
    }
}

/// Why a TCP connection for media ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpEnd {
    /// The client closed it, or the network did.
    Left,
    /// The transport it was for is gone, or its client has newer connections.
    Over,
    /// No genuine check came in time.
    Unproven,
    /// What came was not a client's: too long a frame, or no check at first.
    Malformed,
    /// The client did not read.
    Stalled,
    /// There was no room for one more.
    TooMany,
}

impl TcpEnd {
    /// All of them, in the order of [`Snapshot::tcp_ended`].
    pub const ALL: [Self; 6] = [Self::Left, Self::Over, Self::Unproven, Self::Malformed, Self::Stalled, Self::TooMany];

    /// A short name for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Over => "over",
            Self::Unproven => "unproven",
            Self::Malformed => "malformed",
            Self::Stalled => "stalled",
            Self::TooMany => "too_many",
        }
    }
}

/// The state of the media thread at one moment. Counters are since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Rooms with at least one transport.
    pub rooms: usize,
    /// Transports, connected or not.
    pub transports: usize,
    /// Transports whose ICE and DTLS are up.
    pub connected_transports: usize,
    /// Tracks coming in.
    pub producers: usize,
    /// Tracks going out, including those whose offer is not answered yet.
    pub consumers: usize,
    /// Datagrams read from the socket, and frames from TCP.
    pub datagrams_in: u64,
    /// Datagrams handed to the socket, and frames to TCP.
    pub datagrams_out: u64,
    /// Bytes of the datagrams read, without UDP and IP headers.
    pub bytes_in: u64,
    /// Bytes of the datagrams handed to the socket, without UDP and IP headers.
    pub bytes_out: u64,
    /// RTP packets of producers that came in.
    pub packets_in: u64,
    /// RTP packets written to consumers, resent ones not counted.
    pub packets_out: u64,
    /// RTP packets that went to another media thread, as they are consumed there.
    pub packets_crossed: u64,
    /// Key frame requests sent to publishers.
    pub key_frame_requests_out: u64,
    /// Key frame requests that came from subscribers.
    pub key_frame_requests_in: u64,
    /// NACK messages sent to publishers, for packets lost on their way in. Updated every 10 s.
    pub nacks_out: u64,
    /// Reports of missing packets that came from subscribers, each of 1 to 17 packets.
    pub nacks_in: u64,
    /// Consumers that went to another layer.
    pub layer_switches: u64,
    /// Transports ended by a panic: a bug of ours each.
    pub panics: u64,
    /// Datagrams and packets that went nowhere, by reason.
    pub drops: Vec<(DropReason, u64)>,
    /// TCP connections for media.
    pub tcp_connections: usize,
    /// TCP connections that ended, by reason.
    pub tcp_ended: Vec<(TcpEnd, u64)>,
    /// Connections with other nodes whose paths are there.
    pub relay_links: usize,
    /// Producers of other nodes that are here.
    pub relay_watched: usize,
    /// Producers that are at other nodes, once for each node.
    pub relay_shown: usize,
    /// RTP packets sent to other nodes, those sent again not counted.
    pub relay_packets_out: u64,
    /// RTP packets that came from other nodes.
    pub relay_packets_in: u64,
    /// RTP packets sent to other nodes again, as they were missing there.
    pub relay_resent: u64,
    /// RTP packets of other nodes that were missing and came.
    pub relay_repaired: u64,
    /// RTP packets of other nodes that never came, or that a media thread did not take as it has too much to do.
    pub relay_lost: u64,
}

impl Snapshot {
    /// Adds what another thread holds and has counted.
    pub(crate) fn add(&mut self, other: Self) {
        let Self {
            rooms,
            transports,
            connected_transports,
            producers,
            consumers,
            datagrams_in,
            datagrams_out,
            bytes_in,
            bytes_out,
            packets_in,
            packets_out,
            packets_crossed,
            key_frame_requests_out,
            key_frame_requests_in,
            nacks_out,
            nacks_in,
            layer_switches,
            panics,
            drops,
            // Known to the handle, not to threads.
            tcp_connections: _,
            tcp_ended: _,
            relay_links: _,
            relay_watched: _,
            relay_shown: _,
            relay_packets_out: _,
            relay_packets_in: _,
            relay_resent: _,
            relay_repaired: _,
            relay_lost: _,
        } = other;
        self.rooms += rooms;
        self.transports += transports;
        self.connected_transports += connected_transports;
        self.producers += producers;
        self.consumers += consumers;
        self.datagrams_in += datagrams_in;
        self.datagrams_out += datagrams_out;
        self.bytes_in += bytes_in;
        self.bytes_out += bytes_out;
        self.packets_in += packets_in;
        self.packets_out += packets_out;
        self.packets_crossed += packets_crossed;
        self.key_frame_requests_out += key_frame_requests_out;
        self.key_frame_requests_in += key_frame_requests_in;
        self.nacks_out += nacks_out;
        self.nacks_in += nacks_in;
        self.layer_switches += layer_switches;
        self.panics += panics;
        self.drops.resize(drops.len(), (DropReason::Stranger, 0));
        for (sum, (reason, count)) in self.drops.iter_mut().zip(drops) {
            *sum = (reason, sum.1 + count);
        }
    }
}

/// The counters as the engine keeps them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub datagrams_in: u64,
    pub datagrams_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub packets_in: u64,
    pub packets_out: u64,
    pub packets_crossed: u64,
    pub key_frame_requests_out: u64,
    pub key_frame_requests_in: u64,
    pub nacks_out: u64,
    pub nacks_in: u64,
    pub layer_switches: u64,
    pub panics: u64,
    /// Freezes that are over, and how long they were.
    pub freezes: u64,
    pub frozen: Duration,
    pub resent: u64,
    drops: [u64; DropReason::ALL.len()],
}

impl Counters {
    pub(crate) fn dropped(&mut self, reason: DropReason) {
        self.drop_many(reason, 1);
    }

    pub(crate) fn drop_many(&mut self, reason: DropReason, count: u64) {
        self.drops[reason as usize] += count;
    }

    /// The counters as a picture without the gauges.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            datagrams_in: self.datagrams_in,
            datagrams_out: self.datagrams_out,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            packets_in: self.packets_in,
            packets_out: self.packets_out,
            packets_crossed: self.packets_crossed,
            key_frame_requests_out: self.key_frame_requests_out,
            key_frame_requests_in: self.key_frame_requests_in,
            nacks_out: self.nacks_out,
            nacks_in: self.nacks_in,
            layer_switches: self.layer_switches,
            panics: self.panics,
            drops: DropReason::ALL.into_iter().zip(self.drops).collect(),
            ..Snapshot::default()
        }
    }
}
