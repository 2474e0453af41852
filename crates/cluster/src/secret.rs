//! What nodes of one cluster know each other by. It is the same on all that share a database, and in no log.

use std::net::SocketAddr;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// Names the secret.
const CLUSTER: HeaderName = HeaderName::from_static("x-salon-cluster");

/// The address of whoever asked the node that passes something on, as IP:PORT.
pub const PEER: HeaderName = HeaderName::from_static("x-salon-peer");

/// Where the node that passes a socket on has its port for nodes, if that node may have the media of whoever it is.
pub const REACHED: HeaderName = HeaderName::from_static("x-salon-reached");

/// The secret of a cluster.
#[derive(Clone)]
pub struct Secret(HeaderValue);

impl Secret {
    pub fn new(digest: [u8; 32]) -> Self {
        let mut value = HeaderValue::try_from(hex::encode(digest)).expect("digits and letters");
        value.set_sensitive(true);
        Self(value)
    }

    /// What keys of two nodes are mixed with.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Says that this comes from a node, which was asked by `peer`, and nothing else that only nodes say.
    pub(crate) fn sign(&self, headers: &mut HeaderMap, peer: Option<SocketAddr>) {
        headers.insert(CLUSTER, self.0.clone());
        [PEER, REACHED].iter().for_each(|name| drop(headers.remove(name)));
        if let Some(peer) = peer {
            headers.insert(PEER, HeaderValue::try_from(peer.to_string()).expect("an address is fit for a header"));
        }
    }

    /// Whether this comes from a node, and who asked that. The names are taken away: nobody behind this sees them.
    pub fn admits(&self, headers: &mut HeaderMap) -> Option<Option<SocketAddr>> {
        let shown = headers.remove(CLUSTER)?;
        let (shown, own) = (shown.as_bytes(), self.0.as_bytes());
        // Takes as long however much of it is right.
        let differs = shown.iter().zip(own).fold(u8::from(shown.len() != own.len()), |differs, (a, b)| differs | (a ^ b));
        let peer = headers.remove(PEER).and_then(|peer| peer.to_str().ok()?.parse().ok());
        (differs == 0).then_some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_one_cluster_know_each_other() {
        let (own, other) = (Secret::new([7; 32]), Secret::new([8; 32]));
        let peer = Some("192.0.2.7:1".parse().unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(PEER, HeaderValue::from_static("203.0.113.1:2"));
        headers.insert(REACHED, HeaderValue::from_static("203.0.113.1:3"));
        assert_eq!(own.admits(&mut headers.clone()), None, "nothing is shown");
        own.sign(&mut headers, peer);
        assert_eq!(other.admits(&mut headers.clone()), None);
        assert_eq!(own.admits(&mut headers), Some(peer));
        assert!(headers.is_empty());
        assert!(!format!("{:?}", own.0).contains("07"), "it is not shown to logs");
    }
}
