// The daemon's dependencies call Promise.withResolvers, which Node gained in version 22.
Promise.withResolvers ??= function () { let resolve, reject; const promise = new this((a, b) => { resolve = a; reject = b }); return { promise, resolve, reject } }
