//! Three things at once, each in order: the next input, its decoding, and what becomes of it.

use std::ops::ControlFlow;

use crate::error::DataError;

/// Takes every item of `next` through `decode` to `keep`, as long as that says to go on. The first error in the order of
/// the items is returned.
pub(super) fn run<W: Send, D: Send>(
    mut next: impl FnMut() -> Result<Option<W>, DataError> + Send,
    decode: impl Fn(W) -> Result<D, DataError> + Sync,
    mut keep: impl FnMut(D) -> Result<ControlFlow<()>, DataError> + Send,
) -> Result<(), DataError> {
    let mut waiting = next()?;
    let mut made: Option<D> = None;
    while waiting.is_some() || made.is_some() {
        let (window, done) = (waiting.take(), made.take());
        let more = window.is_some();
        let (kept, (decoded, following)) = rayon::join(
            || done.map_or(Ok(ControlFlow::Continue(())), &mut keep),
            || rayon::join(|| window.map(&decode).transpose(), || if more { next() } else { Ok(None) }),
        );
        if kept?.is_break() {
            return Ok(());
        }
        made = decoded?;
        waiting = match following {
            Ok(following) => following,
            Err(error) => {
                // What comes before comes first: its error, or that nobody wants what follows.
                let kept = made.map_or(Ok(ControlFlow::Continue(())), &mut keep)?;
                return if kept.is_break() { Ok(()) } else { Err(error) };
            }
        };
    }
    Ok(())
}
