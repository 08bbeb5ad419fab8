// Standard input is a pipe from the test process: its end means that the process is gone, however it died.
process.stdin.on('end', () => process.exit(0)).resume()
