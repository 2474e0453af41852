//! The lasting secret of all nodes that share a database: it signs tokens and links, and makes ICE passwords.

/// 256 random bits as text.
pub fn fresh() -> String {
    let mut bytes = [0u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    hex::encode(bytes)
}
