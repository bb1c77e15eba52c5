//! Faults on a link, without I/O: latency, bandwidth, black holes, resets, slicing.
