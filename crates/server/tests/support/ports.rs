//! Ports that are known before whoever listens there does, or while nobody does.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that Linux gives to whoever asks for any (`ip_local_port_range` is 32768 to 60999), so that no socket of
/// another test gets one in the meantime.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// A port that nobody has, with TCP or UDP, at any address of this machine; each is given once.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run beside each other begin far from each other.
    let begin = std::process::id().wrapping_mul(613);
    loop {
        let next = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from(begin.wrapping_add(next) % u32::from(COUNT)).unwrap();
        let everywhere = (Ipv4Addr::UNSPECIFIED, port);
        if TcpListener::bind(everywhere).is_ok() && UdpSocket::bind(everywhere).is_ok() {
            return port;
        }
    }
}
