//! The cost of compression: one message through an own, a lent and a kept context, and the memory of each.
//!
//! `cargo bench -p undrop-frame --bench deflate`. Memory is printed first, counted by the allocator.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use divan::{Bencher, black_box};
use undrop_frame::Role;
use undrop_frame::deflate::{DeflateContext, Deflater, InflateContext, Inflater, Params};

const SIZES: [usize; 3] = [128, 1024, 16384];
const LEVELS: [u8; 4] = [1, 2, 3, 6];

static HEAP: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: hands every call on to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        HEAP.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn heap_of<T>(make: impl FnOnce() -> T) -> usize {
    let before = HEAP.load(Relaxed);
    let made = make();
    let after = HEAP.load(Relaxed);
    drop(made);
    after - before
}

fn main() {
    let message = json(1024);
    let no_takeover =
        Params { client_no_context_takeover: true, server_no_context_takeover: true, ..Params::default() };
    for (name, params) in [("no takeover", no_takeover), ("takeover", Params::default())] {
        let idle = heap_of(|| {
            let mut deflater = Deflater::new(params, Role::Server, 0, 1);
            let mut out = Vec::new();
            deflater.deflate(&message, &mut out);
            deflater
        });
        let mut compressed = Vec::new();
        Deflater::new(params, Role::Client, 0, 1).deflate(&message, &mut compressed);
        let inflater = heap_of(|| {
            let mut inflater = Inflater::new(params, Role::Server, 1 << 20);
            inflater.inflate(&compressed, &mut Vec::new()).unwrap();
            inflater
        });
        println!("heap between messages, {name}: deflater {idle} B, inflater {inflater} B");
    }
    println!(
        "context to lend: deflate {} B, inflate {} B",
        heap_of(|| DeflateContext::new(1, 15)),
        heap_of(InflateContext::new)
    );
    for level in 1..=9 {
        for size in SIZES {
            let mut out = Vec::new();
            let message = json(size);
            Deflater::new(no_takeover, Role::Server, 0, level).deflate(&message, &mut out);
            print!("level {level}, {size} B: {} B   ", out.len());
        }
        println!();
    }
    divan::main();
}

/// A message such as applications send: repetitive keys, varied values.
fn json(size: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut text = String::from("[");
    while text.len() < size {
        text.push_str(&format!(
            "{{\"id\":{},\"user\":\"user-{}\",\"price\":{:.2},\"active\":{}}},",
            rng.u32(..),
            rng.u16(..),
            rng.f64() * 1000.0,
            rng.bool()
        ));
    }
    text.truncate(size);
    text.into_bytes()
}

fn params(takeover: bool) -> Params {
    Params {
        client_no_context_takeover: !takeover,
        server_no_context_takeover: !takeover,
        ..Params::default()
    }
}

fn compress(bencher: Bencher, mut deflater: Deflater, size: usize) {
    let message = json(size);
    let mut out = Vec::with_capacity(2 * size);
    bencher.bench_local(|| {
        out.clear();
        black_box(deflater.deflate(black_box(&message), &mut out))
    });
}

#[divan::bench(args = LEVELS, consts = SIZES)]
fn deflate_own_context<const SIZE: usize>(bencher: Bencher, level: u8) {
    compress(bencher, Deflater::new(params(false), Role::Server, 0, level), SIZE);
}

#[divan::bench(args = LEVELS, consts = SIZES)]
fn deflate_lent_context<const SIZE: usize>(bencher: Bencher, level: u8) {
    let mut deflater = Deflater::new(params(false), Role::Server, 0, level);
    deflater.lend(DeflateContext::new(level, 15));
    compress(bencher, deflater, SIZE);
}

#[divan::bench(args = LEVELS, consts = SIZES)]
fn deflate_takeover<const SIZE: usize>(bencher: Bencher, level: u8) {
    compress(bencher, Deflater::new(params(true), Role::Server, 0, level), SIZE);
}

fn decompress(bencher: Bencher, mut inflater: Inflater, size: usize) {
    let mut compressed = Vec::new();
    Deflater::new(params(false), Role::Client, 0, 1).deflate(&json(size), &mut compressed);
    bencher.bench_local(|| {
        let mut out = Vec::new();
        inflater.inflate(black_box(&compressed), &mut out).unwrap();
        out
    });
}

#[divan::bench(args = SIZES)]
fn inflate_own_context(bencher: Bencher, size: usize) {
    decompress(bencher, Inflater::new(params(false), Role::Server, 1 << 20), size);
}

#[divan::bench(args = SIZES)]
fn inflate_lent_context(bencher: Bencher, size: usize) {
    let mut inflater = Inflater::new(params(false), Role::Server, 1 << 20);
    inflater.lend(InflateContext::new());
    decompress(bencher, inflater, size);
}
