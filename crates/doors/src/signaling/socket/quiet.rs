//! When what waits goes out.

use std::time::{Duration, Instant};

use prost::bytes::Bytes;
use tokio::sync::watch;

/// Waits until one of these answers has to go out; for ever if there is none.
pub async fn due(held_back: &mut [(watch::Receiver<Instant>, Bytes)]) {
    loop {
        let Some(at) = held_back.iter_mut().map(|(at, _)| *at.borrow_and_update()).min() else {
            return std::future::pending().await;
        };
        let changes = held_back.iter_mut().map(|(at, _)| {
            Box::pin(async {
                if at.changed().await.is_err() {
                    // Nothing will be known any more.
                    std::future::pending::<()>().await;
                }
            })
        });
        tokio::select! {
            () = tokio::time::sleep_until(at.into()) => return,
            _ = futures_util::future::select_all(changes) => {}
        }
    }
}

/// Until a client has asked for nothing for so long, or for five times as long if it goes on.
pub async fn quiet_for(span: Duration, answered: watch::Receiver<tokio::time::Instant>) {
    let began = tokio::time::Instant::now();
    loop {
        let until = quiet_at(*answered.borrow(), began, span);
        if until <= tokio::time::Instant::now() {
            return;
        }
        tokio::time::sleep_until(until).await;
    }
}

/// When a client that was last answered then, and goes on with nothing, has been quiet for `span`.
fn quiet_at(answered: tokio::time::Instant, began: tokio::time::Instant, span: Duration) -> tokio::time::Instant {
    (answered + span).min(began + span * 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_quiet_client_waits_while_it_asks_but_not_for_ever() {
        let began = tokio::time::Instant::now();
        let after = |ms| began + Duration::from_millis(ms);
        let due = |answered_ms| quiet_at(after(answered_ms), began, Duration::from_secs(1));
        assert_eq!((due(0), due(900), due(3_999)), (after(1_000), after(1_900), after(4_999)));
        assert_eq!((due(4_500), due(60_000)), (after(5_000), after(5_000)));
    }
}
