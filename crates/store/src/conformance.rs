//! What every store must do, as a suite that its own tests run.

use std::sync::Arc;

use undrop_session::SessionId;

use crate::{SessionStore, StoreError};

/// Runs the whole suite against stores made by `make`, each of them empty.
///
/// # Panics
/// When the store breaks the contract; the message says which part.
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the suite's answer")]
pub async fn run<S: SessionStore>(make: impl Fn() -> Arc<S>) {
    let one = SessionId::new("a", [1; 16]).expect("a valid id");
    let two = SessionId::new("a", [2; 16]).expect("a valid id");

    let store = make();
    assert_eq!(store.owner(&one).await.unwrap(), None, "an unknown session has no owner");
    let first = store.claim(&one, "a").await.unwrap();
    assert_eq!(store.owner(&one).await.unwrap().as_ref(), Some(&first), "who claims is the owner");
    assert_eq!(store.owner(&two).await.unwrap(), None, "a claim touches one session only");
    store.verify(&first).await.expect("the newest lease holds");

    let second = store.claim(&one, "b").await.unwrap();
    assert!(second.fence > first.fence, "a later claim has a higher fence");
    assert_eq!(store.owner(&one).await.unwrap().as_ref(), Some(&second), "the later claim wins");
    assert!(
        matches!(store.verify(&first).await, Err(StoreError::Fenced { .. })),
        "the older lease is fenced"
    );
    assert!(
        matches!(store.release(&first).await, Err(StoreError::Fenced { .. })),
        "a fenced lease releases nothing"
    );
    assert_eq!(
        store.owner(&one).await.unwrap().as_ref(),
        Some(&second),
        "the owner survives a stale release"
    );

    store.release(&second).await.unwrap();
    assert_eq!(store.owner(&one).await.unwrap(), None, "a released session has no owner");
    let third = store.claim(&one, "a").await.unwrap();
    assert!(third.fence > second.fence, "fences grow over a release");
    store.release(&second).await.expect_err("an old lease cannot release the new claim");

    // Two nodes at once: one of them ends up the owner, and only its lease holds.
    let (left, right) = tokio::join!(store.claim(&two, "left"), store.claim(&two, "right"));
    let (left, right) = (left.unwrap(), right.unwrap());
    assert_ne!(left.fence, right.fence, "no fence is handed out twice");
    let (winner, loser) = if left.fence > right.fence { (left, right) } else { (right, left) };
    store.verify(&winner).await.expect("the higher fence holds");
    store.verify(&loser).await.expect_err("the lower fence does not");
    assert_eq!(store.owner(&two).await.unwrap(), Some(winner), "the owner is who has the higher fence");
}
