//! An allocator for large blocks: growth without a copy, and freed blocks kept for the next one.
//!
//! Decoding fills fresh memory, and the kernel needs as long to hand out pages as snappy needs to unpack them. Blocks of
//! a megabyte and more come from `mmap` here; a block grows by `mremap`; and a few freed blocks stay, because
//! decompression asks for the same sizes again and again. Everything smaller, and everything on other systems, goes to
//! the system's allocator.
//!
//! Huge pages are not asked for: on virtual machines that return free memory to their host each one was measured at
//! milliseconds, and reading 1 GB took twice as long.
//!
//! No locks: a forked child may inherit any state of this and goes on.
#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};

/// Blocks from this size on are mapped here.
#[cfg(target_os = "linux")]
const LARGE: usize = 1 << 20;

/// The allocator; make it the `#[global_allocator]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LargeBlocks;

#[cfg(target_os = "linux")]
fn is_large(size: usize, align: usize) -> bool {
    size >= LARGE && align <= mapped::PAGE
}

// SAFETY: every block is either the system's or one of `mapped`, and its size (part of the layout that the caller must
// give back) says which; sizes and alignments are those asked for or larger.
#[cfg(target_os = "linux")]
unsafe impl GlobalAlloc for LargeBlocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout.size(), layout.align()) {
            return mapped::alloc(layout.size()).0;
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_large(layout.size(), layout.align()) {
            let (block, fresh) = mapped::alloc(layout.size());
            if !fresh && !block.is_null() {
                // SAFETY: the block has at least that many bytes.
                unsafe { block.write_bytes(0, layout.size()) };
            }
            return block;
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_large(layout.size(), layout.align()) {
            // SAFETY: a block of this size is one of `mapped`.
            return unsafe { mapped::free(block, layout.size()) };
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (was, is) = (is_large(layout.size(), layout.align()), is_large(size, layout.align()));
        if was && is {
            // SAFETY: a block of the old size is one of `mapped`.
            return unsafe { mapped::resize(block, layout.size(), size) };
        }
        if !was && !is {
            // SAFETY: the caller's promise.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the caller promises a size that is not zero and does not overflow; both blocks hold what is copied.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

// SAFETY: the system's allocator, unchanged.
#[cfg(not(target_os = "linux"))]
unsafe impl GlobalAlloc for LargeBlocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// While one lives, more freed blocks are kept: every row group and every window asks for the same again. They are given
/// back with the last.
#[derive(Debug)]
pub(crate) struct Reading(());

impl Reading {
    /// Keeps from here on.
    pub(crate) fn start() -> Self {
        #[cfg(target_os = "linux")]
        mapped::READINGS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if mapped::READINGS.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1 {
            mapped::trim();
        }
    }
}

/// As `Reading`, for what a stream has under way: its pieces and tables come and go, and are smaller together.
#[derive(Debug)]
pub struct Streaming(());

impl Streaming {
    /// Keeps from here on.
    #[expect(clippy::new_without_default, reason = "it does something")]
    pub fn new() -> Self {
        #[cfg(target_os = "linux")]
        mapped::STREAMS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if mapped::STREAMS.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1 {
            mapped::trim();
        }
    }
}

/// Blocks by `mmap`. A block's room follows from its size, so nothing is written down about a block in use.
#[cfg(target_os = "linux")]
mod mapped {
    use std::ffi::c_void;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

    use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap, munmap};

    /// Alignment of every block. Pages may be larger (arm64); then rooms are multiples of them as well, since the
    /// steps between rooms are at least 256 KiB.
    pub(super) const PAGE: usize = 4096;
    /// Largest freed block that is kept.
    const KEPT_BLOCK: usize = 64 << 20;
    /// Bytes that are kept in all, while streams flow, and while files are read.
    const KEPT_BYTES: usize = 32 << 20;
    const KEPT_FOR_STREAMS: usize = 128 << 20;
    const KEPT_FOR_READING: usize = 256 << 20;
    /// Steps between one power of two and the next.
    const STEPS: usize = 4;
    /// Rooms of kept blocks: six doublings from 1 MiB to 64 MiB in four steps each, and 64 MiB itself.
    const ROOMS: usize = 6 * STEPS + 1;
    const PLACES: usize = 16;

    static KEPT: [[AtomicPtr<u8>; PLACES]; ROOMS] =
        [const { [const { AtomicPtr::new(null_mut()) }; PLACES] }; ROOMS];
    static KEPT_NOW: AtomicUsize = AtomicUsize::new(0);
    /// How many read files now.
    pub(super) static READINGS: AtomicUsize = AtomicUsize::new(0);
    /// How many things streams have under way.
    pub(super) static STREAMS: AtomicUsize = AtomicUsize::new(0);

    /// The room of the blocks in `KEPT[step]`.
    fn room_of(step: usize) -> usize {
        let doubling = super::LARGE << (step / STEPS);
        doubling + (step % STEPS) * (doubling / STEPS)
    }

    fn most_kept() -> usize {
        let any = |count: &AtomicUsize| count.load(Ordering::Relaxed) > 0;
        match (any(&READINGS), any(&STREAMS)) {
            (true, _) => KEPT_FOR_READING,
            (_, true) => KEPT_FOR_STREAMS,
            _ => KEPT_BYTES,
        }
    }

    /// Gives back what is kept beyond the usual, the largest blocks first.
    pub(super) fn trim() {
        for (step, places) in KEPT.iter().enumerate().rev() {
            let room = room_of(step);
            for place in places {
                if KEPT_NOW.load(Ordering::Relaxed) <= most_kept() {
                    return;
                }
                let block = place.swap(null_mut(), Ordering::Acquire);
                if !block.is_null() {
                    KEPT_NOW.fetch_sub(room, Ordering::Relaxed);
                    // SAFETY: a kept block has the room of its place, and nobody uses it.
                    unsafe { unmap(block, room) };
                }
            }
        }
    }

    /// Bytes that are mapped for a size: the next of four steps in its doubling. What is not touched costs nothing.
    fn room(size: usize) -> usize {
        let step = (1_usize << size.ilog2()) / STEPS;
        size.checked_next_multiple_of(step).unwrap_or(usize::MAX)
    }

    /// The places in the order in which this thread looks: a block that it freed is in its processor's cache.
    fn mine() -> impl Iterator<Item = usize> {
        thread_local! {
            static HERE: u8 = const { 0 };
        }
        let first = HERE.with(|here| std::ptr::from_ref(here).addr()) >> 12;
        (0..PLACES).map(move |step| (first + step) % PLACES)
    }

    fn places(room: usize) -> Option<&'static [AtomicPtr<u8>; PLACES]> {
        if room > KEPT_BLOCK {
            return None;
        }
        let doubling = room.ilog2() as usize;
        let within = (room - (1 << doubling)) / ((1 << doubling) / STEPS);
        KEPT.get((doubling - super::LARGE.ilog2() as usize) * STEPS + within)
    }

    /// A block, null without memory, and whether it is fresh (zero).
    pub(super) fn alloc(size: usize) -> (*mut u8, bool) {
        let room = room(size);
        take(room).map_or_else(|| (map(room), true), |block| (block, false))
    }

    /// A kept block.
    fn take(room: usize) -> Option<*mut u8> {
        let places = places(room)?;
        for at in mine() {
            if places[at].load(Ordering::Relaxed).is_null() {
                continue; // without taking the line from other processors
            }
            let block = places[at].swap(null_mut(), Ordering::Acquire);
            if !block.is_null() {
                KEPT_NOW.fetch_sub(room, Ordering::Relaxed);
                return Some(block);
            }
        }
        None
    }

    /// # Safety
    /// A block of `alloc` or `resize` for `size`, not used any more.
    pub(super) unsafe fn free(block: *mut u8, size: usize) {
        let room = room(size);
        if let Some(places) = places(room) {
            if KEPT_NOW.fetch_add(room, Ordering::Relaxed) + room <= most_kept() {
                for at in mine() {
                    let put =
                        places[at].compare_exchange(null_mut(), block, Ordering::Release, Ordering::Relaxed);
                    if put.is_ok() {
                        return;
                    }
                }
            }
            KEPT_NOW.fetch_sub(room, Ordering::Relaxed);
        }
        // SAFETY: the block is mapped with this room and nobody uses it.
        unsafe { unmap(block, room) };
    }

    /// # Safety
    /// As `free`, with the block in use; the old pointer is dead unless null comes back.
    pub(super) unsafe fn resize(block: *mut u8, old: usize, new: usize) -> *mut u8 {
        let (from, to) = (room(old), room(new));
        if from == to {
            return block;
        }
        if to < from {
            // SAFETY: the tail belongs to the block, and nobody uses it.
            unsafe { unmap(block.wrapping_add(to), from - to) };
            return block;
        }
        if to > isize::MAX as usize {
            return null_mut();
        }
        if let Some(kept) = take(to) {
            // Copying is five times as fast as having the kernel clear as many bytes.
            // SAFETY: two blocks, both of `old` bytes at least; the old one is free from here on.
            unsafe {
                kept.copy_from_nonoverlapping(block, old);
                free(block, old);
            }
            return kept;
        }
        // SAFETY: the block is mapped with room `from`; where it moves, nothing else was mapped.
        let moved = unsafe { mremap(block.cast(), from, to, MremapFlags::MAYMOVE) };
        moved.map_or(null_mut(), <*mut c_void>::cast)
    }

    /// Fresh memory, null without it.
    fn map(room: usize) -> *mut u8 {
        anonymous(room).unwrap_or(null_mut())
    }

    fn anonymous(length: usize) -> Option<*mut u8> {
        if length > isize::MAX as usize {
            return None;
        }
        // SAFETY: a new private mapping at a place of the kernel's choice.
        let made = unsafe {
            mmap_anonymous(null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        };
        made.ok().map(<*mut c_void>::cast)
    }

    /// # Safety
    /// A mapped range that nobody uses.
    unsafe fn unmap(start: *mut u8, length: usize) {
        // SAFETY: the caller's promise. It fails only when the kernel has no room for a split; then the range leaks.
        let _ = unsafe { munmap(start.cast(), length) };
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, reason = "tests")]
        use super::*;

        #[test]
        fn rooms_are_few_and_close() {
            let mut last = 0;
            for size in (super::super::LARGE..80 << 20).step_by(4093) {
                let room = room(size);
                assert!(room >= size && room - size <= size / 4, "{size} -> {room}");
                assert!(room >= last && room.is_multiple_of(256 << 10));
                assert_eq!(super::room(room), room);
                assert_eq!(places(room).is_some(), room <= KEPT_BLOCK, "{room}");
                last = room;
            }
            for (step, kept) in KEPT.iter().enumerate() {
                assert!(std::ptr::eq(places(room_of(step)).unwrap(), kept), "{step}");
            }
        }

        /// Whatever other tests keep meanwhile: the limit of one who reads is there, and goes with the last.
        #[test]
        fn reading_keeps_more() {
            let outer = super::super::Reading::start();
            let inner = super::super::Reading::start();
            assert_eq!(most_kept(), KEPT_FOR_READING);
            let size = 48 << 20;
            let blocks = [(); 3].map(|()| alloc(size).0);
            // SAFETY: each is freed once, with its size, and not used any more.
            blocks.into_iter().for_each(|block| unsafe { free(block, size) });
            let (again, fresh) = alloc(size);
            assert!(!again.is_null() && !fresh, "a block of that size was kept");
            // SAFETY: as above.
            unsafe { free(again, size) };
            drop(inner);
            assert_eq!(most_kept(), KEPT_FOR_READING);
            drop(outer);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 64).unwrap()
    }

    /// Bytes that are looked at: both ends and one of each page between.
    fn spots(size: usize) -> impl Iterator<Item = usize> {
        (0..size).step_by(4096).chain([size - 1])
    }

    fn mark(at: usize, seed: usize) -> u8 {
        ((at / 4096 + seed) % 251) as u8 + 1
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn keeps_what_is_written(steps in prop::collection::vec((0_usize..6, 1_usize..24 << 20), 1..24)) {
            let mut held: Vec<(*mut u8, usize, usize)> = Vec::new();
            for (seed, &(what, size)) in steps.iter().enumerate() {
                // SAFETY: blocks are used within their sizes and freed once with the layout they have.
                unsafe {
                    match (what, held.pop()) {
                        (0, Some((block, old, _))) => LargeBlocks.dealloc(block, layout(old)),
                        (1 | 2, Some((block, old, mark_of))) => {
                            let block = LargeBlocks.realloc(block, layout(old), size);
                            prop_assert!(!block.is_null() && block.addr().is_multiple_of(64));
                            for at in spots(old).filter(|&at| at < size.min(old)) {
                                prop_assert_eq!(*block.add(at), mark(at, mark_of), "at {} of {} to {}", at, old, size);
                            }
                            spots(size).for_each(|at| *block.add(at) = mark(at, seed));
                            held.push((block, size, seed));
                        }
                        (3, last) => {
                            held.extend(last);
                            let block = LargeBlocks.alloc_zeroed(layout(size));
                            prop_assert!(spots(size).all(|at| *block.add(at) == 0));
                            spots(size).for_each(|at| *block.add(at) = mark(at, seed));
                            held.push((block, size, seed));
                        }
                        (_, last) => {
                            held.extend(last);
                            let block = LargeBlocks.alloc(layout(size));
                            spots(size).for_each(|at| *block.add(at) = mark(at, seed));
                            held.push((block, size, seed));
                        }
                    }
                    for &(block, size, seed) in &held {
                        prop_assert!(spots(size).all(|at| *block.add(at) == mark(at, seed)));
                    }
                }
            }
            for (block, size, _) in held {
                // SAFETY: as above.
                unsafe { LargeBlocks.dealloc(block, layout(size)) };
            }
        }
    }

    #[test]
    fn no_memory_is_null() {
        // SAFETY: nothing is used of what is not there.
        unsafe {
            assert!(LargeBlocks.alloc(layout(isize::MAX as usize - 4096)).is_null());
            let block = LargeBlocks.alloc(layout(3 << 20));
            block.write(7);
            assert!(LargeBlocks.realloc(block, layout(3 << 20), isize::MAX as usize - 4096).is_null());
            assert_eq!(block.read(), 7);
            LargeBlocks.dealloc(block, layout(3 << 20));
        }
    }
}
