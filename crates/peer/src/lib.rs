//! A client in Rust, as a server sees one: signaling over a websocket, ICE, DTLS and SRTP over UDP.
//! Reading order: `peer` (joining as the web SDK does), `socket` and `signaling` (its words), `sdp`, `connection` (its way
//! for packets), `media` (a thread of many), `playing` (a stream of one's own), `reception` (what a browser tells of what it gets), `rtp` and `rtcp`.
//! Invariant: what is sent and what is made of packets is up to a `Role`; nothing here knows of loads, files or figures.

pub mod connection;
pub mod media;
pub mod peer;
pub mod playing;
pub mod reception;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod signaling;
pub mod socket;

pub use connection::{Connection, Identity};
pub use media::{Arrived, Line, Media, Role};
pub use peer::{Entered, Offered, Peer, Track, Transport, Way};
pub use playing::Stream;
pub use salon_udp::wall_clock;
pub use socket::Invite;
