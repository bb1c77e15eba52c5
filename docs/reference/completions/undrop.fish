# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_undrop_global_optspecs
    string join \n log= h/help V/version
end

function __fish_undrop_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_undrop_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_undrop_using_subcommand
    set -l cmd (__fish_undrop_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c undrop -n "__fish_undrop_needs_command" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_needs_command" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "bench" -d 'Load test a WebSocket server: survival of connections, latency, and exactly-once delivery'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "chaos" -d 'Run a proxy that injects the faults of real networks and proxies'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "connect" -d 'Send lines to a WebSocket server and print its messages'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "demo" -d 'Compare a plain client and an undrop session on a bad network'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "doctor" -d 'Find out why a WebSocket drops. Probes every stage (name, TCP, TLS, handshake, messages, compression, sizes, close), then watches connections with different traffic: none, Pings, messages. Reports which timer, limit or fault ends them, where it is, how certain that is, and what to change. Ctrl-C stops the run and reports what is known'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "explain" -d 'Explain a code, a flag, a response or an error line, or find in access logs why WebSockets drop Queries: a close code, an HTTP status or a pasted response head, termination flags of HAProxy, response flags of Envoy, a line of the nginx error log, a console message of a browser, an error of a library, or the id of a check of `undrop doctor`'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "gateway" -d 'Add resumable sessions to a WebSocket backend'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "reference" -d 'Writes the command reference (a page, man pages, shell completions) and the reference of faults'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s c -l connections -d 'Number of connections to open' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s d -l duration -d 'Duration of the load, counted once all connections have been attempted' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s r -l rate -d 'Messages per second per connection' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l ramp-up -d 'Time over which the opening of connections is spread [default: none, as fast as the target accepts them]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l concurrency -d 'Maximum number of concurrent handshakes' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l size -d 'Size of each message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s m -l message -d 'Send this text instead of generated messages' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l message-file -d 'Send the content of this file instead of generated messages' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l settle -d 'Maximum time to wait for replies after the last message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l session -d 'Request resumable sessions in the handshake' -r -f -a "off\t'Plain WebSocket connections'
prefer\t'A session if the server supports them, otherwise a plain connection'
require\t'A session; it is a failure if the server does not support them'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l ping-interval -d 'Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l dead-after -d 'Duration of silence after which a connection that awaits a reply counts as a black hole' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l reconnect -d 'Reconnect lost plain connections, by default with the policy full-jitter [default: lost connections stay lost]' -r -f -a "full-jitter\t'Within 300 ms, then random delays below min(30 s, 1 s · 2^k)'
classic\t'After 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts'
immediate\t'At once, then every 100 ms without backoff (thundering herd)'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l html -d 'Write the report to this file as an HTML page with charts' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l hdr-log -d 'Write the latency histograms to this file as an HDR log' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l ensure -d 'Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l binary -d 'Send binary messages instead of text'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l verify -d 'Number and hash-chain every stream, and report messages that were lost, duplicated, reordered or corrupted'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -l no-tui -d 'Print progress as lines instead of the live view on a terminal'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "run" -d 'Send at a fixed rate, independent of replies (the default)'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "flood" -d 'Send the next message as soon as a reply arrives'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "hold" -d 'Open connections and keep them idle, to see which survive'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "storm" -d 'Lose all connections at once, and measure how they reconnect'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "churn" -d 'Open and close connections continuously'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "broadcast" -d 'Send on some connections, receive on all'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "ramp" -d 'Open connections until the target starts refusing them'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "search" -d 'Find the highest rate that the target sustains within a latency limit'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "scenario" -d 'Run virtual users that arrive and act according to a scenario file'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "sink" -d 'Run a backend that verifies what it receives, for --verify'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and not __fish_seen_subcommand_from run flood hold storm churn broadcast ramp search scenario sink worker" -a "worker" -d 'A worker process of a run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s c -l connections -d 'Number of connections to open' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s d -l duration -d 'Duration of the load, counted once all connections have been attempted' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s r -l rate -d 'Messages per second per connection' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l ramp-up -d 'Time over which the opening of connections is spread [default: none, as fast as the target accepts them]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l concurrency -d 'Maximum number of concurrent handshakes' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l size -d 'Size of each message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s m -l message -d 'Send this text instead of generated messages' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l message-file -d 'Send the content of this file instead of generated messages' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l settle -d 'Maximum time to wait for replies after the last message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l session -d 'Request resumable sessions in the handshake' -r -f -a "off\t'Plain WebSocket connections'
prefer\t'A session if the server supports them, otherwise a plain connection'
require\t'A session; it is a failure if the server does not support them'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l ping-interval -d 'Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l dead-after -d 'Duration of silence after which a connection that awaits a reply counts as a black hole' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l reconnect -d 'Reconnect lost plain connections, by default with the policy full-jitter [default: lost connections stay lost]' -r -f -a "full-jitter\t'Within 300 ms, then random delays below min(30 s, 1 s · 2^k)'
classic\t'After 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts'
immediate\t'At once, then every 100 ms without backoff (thundering herd)'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l html -d 'Write the report to this file as an HTML page with charts' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l hdr-log -d 'Write the latency histograms to this file as an HDR log' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l ensure -d 'Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l binary -d 'Send binary messages instead of text'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l verify -d 'Number and hash-chain every stream, and report messages that were lost, duplicated, reordered or corrupted'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -l no-tui -d 'Print progress as lines instead of the live view on a terminal'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from run" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l window -d 'Number of unanswered messages on each connection; 0 never waits for replies' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -s c -l connections -d 'Number of connections to open' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -s d -l duration -d 'Duration of the load, counted once all connections have been attempted' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l ramp-up -d 'Time over which the opening of connections is spread [default: none, as fast as the target accepts them]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l concurrency -d 'Maximum number of concurrent handshakes' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l size -d 'Size of each message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -s m -l message -d 'Send this text instead of generated messages' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l message-file -d 'Send the content of this file instead of generated messages' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l settle -d 'Maximum time to wait for replies after the last message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l session -d 'Request resumable sessions in the handshake' -r -f -a "off\t'Plain WebSocket connections'
prefer\t'A session if the server supports them, otherwise a plain connection'
require\t'A session; it is a failure if the server does not support them'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l ping-interval -d 'Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l dead-after -d 'Duration of silence after which a connection that awaits a reply counts as a black hole' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l reconnect -d 'Reconnect lost plain connections, by default with the policy full-jitter [default: lost connections stay lost]' -r -f -a "full-jitter\t'Within 300 ms, then random delays below min(30 s, 1 s · 2^k)'
classic\t'After 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts'
immediate\t'At once, then every 100 ms without backoff (thundering herd)'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l html -d 'Write the report to this file as an HTML page with charts' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l hdr-log -d 'Write the latency histograms to this file as an HDR log' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l ensure -d 'Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l binary -d 'Send binary messages instead of text'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l verify -d 'Number and hash-chain every stream, and report messages that were lost, duplicated, reordered or corrupted'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -l no-tui -d 'Print progress as lines instead of the live view on a terminal'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from flood" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -s c -l connections -d 'Number of connections to open' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -s d -l duration -d 'Duration of the load, counted once all connections have been attempted' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l ramp-up -d 'Time over which the opening of connections is spread [default: none, as fast as the target accepts them]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l concurrency -d 'Maximum number of concurrent handshakes' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l session -d 'Request resumable sessions in the handshake' -r -f -a "off\t'Plain WebSocket connections'
prefer\t'A session if the server supports them, otherwise a plain connection'
require\t'A session; it is a failure if the server does not support them'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l ping-interval -d 'Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l dead-after -d 'Duration of silence after which a connection that awaits a reply counts as a black hole' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l reconnect -d 'Reconnect lost plain connections, by default with the policy full-jitter [default: lost connections stay lost]' -r -f -a "full-jitter\t'Within 300 ms, then random delays below min(30 s, 1 s · 2^k)'
classic\t'After 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts'
immediate\t'At once, then every 100 ms without backoff (thundering herd)'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l html -d 'Write the report to this file as an HTML page with charts' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l hdr-log -d 'Write the latency histograms to this file as an HDR log' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l ensure -d 'Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -l no-tui -d 'Print progress as lines instead of the live view on a terminal'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from hold" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l trigger -d 'Cause of the losses' -r -f -a "cut\t'The load cuts them, one second after all connections are open'
wait\t'Something else does: restart or drain the target during the run'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l policy -d 'Delays between the attempts of lost connections to reconnect' -r -f -a "full-jitter\t'Within 300 ms, then random delays below min(30 s, 1 s · 2^k)'
classic\t'After 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts'
immediate\t'At once, then every 100 ms without backoff (thundering herd)'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s c -l connections -d 'Number of connections to open' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s d -l duration -d 'Duration of the load, counted once all connections have been attempted' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s r -l rate -d 'Messages per second per connection' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l ramp-up -d 'Time over which the opening of connections is spread [default: none, as fast as the target accepts them]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l concurrency -d 'Maximum number of concurrent handshakes' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l size -d 'Size of each message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s m -l message -d 'Send this text instead of generated messages' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l message-file -d 'Send the content of this file instead of generated messages' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l settle -d 'Maximum time to wait for replies after the last message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l session -d 'Request resumable sessions in the handshake' -r -f -a "off\t'Plain WebSocket connections'
prefer\t'A session if the server supports them, otherwise a plain connection'
require\t'A session; it is a failure if the server does not support them'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l ping-interval -d 'Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l dead-after -d 'Duration of silence after which a connection that awaits a reply counts as a black hole' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l html -d 'Write the report to this file as an HTML page with charts' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l hdr-log -d 'Write the latency histograms to this file as an HDR log' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l ensure -d 'Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l binary -d 'Send binary messages instead of text'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l verify -d 'Number and hash-chain every stream, and report messages that were lost, duplicated, reordered or corrupted'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -l no-tui -d 'Print progress as lines instead of the live view on a terminal'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from storm" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l churn-rate -d 'New connections per second' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l lifetime -d 'Lifetime of each connection' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -s c -l connections -d 'Maximum number of open connections [default: 1.5 times rate × lifetime, at least 10 and at most 100,000]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -s d -l duration -d 'Duration of the load, counted once all connections have been attempted' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l session -d 'Request resumable sessions in the handshake' -r -f -a "off\t'Plain WebSocket connections'
prefer\t'A session if the server supports them, otherwise a plain connection'
require\t'A session; it is a failure if the server does not support them'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l ping-interval -d 'Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l dead-after -d 'Duration of silence after which a connection that awaits a reply counts as a black hole' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l html -d 'Write the report to this file as an HTML page with charts' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l hdr-log -d 'Write the latency histograms to this file as an HDR log' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l ensure -d 'Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -l no-tui -d 'Print progress as lines instead of the live view on a terminal'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from churn" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l senders -d 'Number of connections that send' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s c -l connections -d 'Number of connections to open' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s d -l duration -d 'Duration of the load, counted once all connections have been attempted' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s r -l rate -d 'Messages per second per connection' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l ramp-up -d 'Time over which the opening of connections is spread [default: none, as fast as the target accepts them]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l concurrency -d 'Maximum number of concurrent handshakes' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l size -d 'Size of each message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s m -l message -d 'Send this text instead of generated messages' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l message-file -d 'Send the content of this file instead of generated messages' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l settle -d 'Maximum time to wait for replies after the last message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l session -d 'Request resumable sessions in the handshake' -r -f -a "off\t'Plain WebSocket connections'
prefer\t'A session if the server supports them, otherwise a plain connection'
require\t'A session; it is a failure if the server does not support them'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l ping-interval -d 'Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l dead-after -d 'Duration of silence after which a connection that awaits a reply counts as a black hole' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l reconnect -d 'Reconnect lost plain connections, by default with the policy full-jitter [default: lost connections stay lost]' -r -f -a "full-jitter\t'Within 300 ms, then random delays below min(30 s, 1 s · 2^k)'
classic\t'After 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts'
immediate\t'At once, then every 100 ms without backoff (thundering herd)'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l html -d 'Write the report to this file as an HTML page with charts' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l hdr-log -d 'Write the latency histograms to this file as an HDR log' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l ensure -d 'Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l binary -d 'Send binary messages instead of text'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l verify -d 'Number and hash-chain every stream, and report messages that were lost, duplicated, reordered or corrupted'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -l no-tui -d 'Print progress as lines instead of the live view on a terminal'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from broadcast" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l open-rate -d 'New connections per second, up to the number of connections' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -s c -l connections -d 'Number of connections to open' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -s d -l duration -d 'Duration of the load, counted once all connections have been attempted' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l concurrency -d 'Maximum number of concurrent handshakes' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l session -d 'Request resumable sessions in the handshake' -r -f -a "off\t'Plain WebSocket connections'
prefer\t'A session if the server supports them, otherwise a plain connection'
require\t'A session; it is a failure if the server does not support them'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l ping-interval -d 'Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l dead-after -d 'Duration of silence after which a connection that awaits a reply counts as a black hole' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l reconnect -d 'Reconnect lost plain connections, by default with the policy full-jitter [default: lost connections stay lost]' -r -f -a "full-jitter\t'Within 300 ms, then random delays below min(30 s, 1 s · 2^k)'
classic\t'After 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts'
immediate\t'At once, then every 100 ms without backoff (thundering herd)'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l html -d 'Write the report to this file as an HTML page with charts' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l hdr-log -d 'Write the latency histograms to this file as an HDR log' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l ensure -d 'Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -l no-tui -d 'Print progress as lines instead of the live view on a terminal'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from ramp" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l p99 -d 'Limit for the latency of 99 % of the replies' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l step -d 'Duration of the run at each rate' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -s c -l connections -d 'Number of connections to open' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -s r -l rate -d 'Messages per second per connection' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l ramp-up -d 'Time over which the opening of connections is spread [default: none, as fast as the target accepts them]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l concurrency -d 'Maximum number of concurrent handshakes' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l size -d 'Size of each message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -s m -l message -d 'Send this text instead of generated messages' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l message-file -d 'Send the content of this file instead of generated messages' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l settle -d 'Maximum time to wait for replies after the last message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l session -d 'Request resumable sessions in the handshake' -r -f -a "off\t'Plain WebSocket connections'
prefer\t'A session if the server supports them, otherwise a plain connection'
require\t'A session; it is a failure if the server does not support them'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l ping-interval -d 'Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l dead-after -d 'Duration of silence after which a connection that awaits a reply counts as a black hole' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l reconnect -d 'Reconnect lost plain connections, by default with the policy full-jitter [default: lost connections stay lost]' -r -f -a "full-jitter\t'Within 300 ms, then random delays below min(30 s, 1 s · 2^k)'
classic\t'After 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts'
immediate\t'At once, then every 100 ms without backoff (thundering herd)'"
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l binary -d 'Send binary messages instead of text'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l verify -d 'Number and hash-chain every stream, and report messages that were lost, duplicated, reordered or corrupted'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from search" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l var -d 'Set a variable; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -s c -l connections -d 'Maximum number of simultaneous users [default: 100,000]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -s d -l duration -d 'Time that users have to finish after the last one has arrived [default: 10m]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -s w -l workers -d 'Number of worker processes, each with its own limit of open files' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l seed -d 'Seed for all randomness [default: a random number, which the report states]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -s s -l subprotocol -d 'Subprotocol to offer; can be given several times, in order of preference' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -s H -l header -d 'Request header to add; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l ca -l tls-ca -d 'PEM file with certificate authorities to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l server-name -l tls-server-name -d 'Name for SNI and certificate verification [default: the host of the URL]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l proxy -d 'URL of a forward proxy (http://, https://, socks5:// or socks5h://)' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l source-addr -d 'Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each allows about 28,000 connections [default: chosen by the system]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l resolve -d 'Address to connect to instead of those that DNS returns; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l timeout -d 'Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l html -d 'Write the report to this file as an HTML page with charts' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l hdr-log -d 'Write the latency histograms to this file as an HDR log' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l ensure -d 'Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l check -d 'Print a summary of the file without starting any user'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l compress -d 'Offer permessage-deflate compression in the handshake'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l insecure -l tls-insecure -d 'Do not verify the certificate of the server'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l i-own-this -d 'Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and 1,000 messages per second'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l json -d 'Print the result as one JSON object'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -s q -l quiet -d 'Print no progress during the run'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -l no-tui -d 'Print progress as lines instead of the live view on a terminal'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from scenario" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -l listen -d 'Address to listen on; port 0 selects a free port' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -l sabotage -d 'Make every Nth reply faulty (lose, double, swap or corrupt), to test the verification' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -l lifetime -d 'Close every connection at this age, without a Close frame [default: never]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -l max-message -d 'Maximum size of a received message' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -s w -l workers -d 'Number of processes that share the port, each with its own limit of open files. With several, a stream must stay on one connection' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -l echo -d 'Return all messages unchanged'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -l broadcast -d 'Send every message to all connections'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from sink" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from worker" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from worker" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand bench; and __fish_seen_subcommand_from worker" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -s l -l listen -d 'Address to listen on' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -s u -l upstream -d 'Server to forward connections to: host:port, or a ws:// URL' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -s p -l preset -d 'Preset with the faults of a product, such as alb; may be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -s f -l fault -d 'Fault to inject, such as \'idle-cut after=5s how=rst\'; may be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -l timeline -d 'TOML file with faults that are added and removed over time' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -l speed -d 'Factor by which every duration in faults, presets and the timeline is divided, such as 10x' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -l seed -d 'Seed of all random draws [default: the seed of the timeline, or a random one, which is shown]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -l replay -d 'Log to replay, connection by connection' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -l log-file -d 'File for the log: every event as a line of JSON, which --replay reads' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -l api -d 'Serve the API, which adds and removes faults and proxies at run time [default address: 127.0.0.1:8474]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -l json -d 'Print events as lines of JSON'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -l list-presets -d 'Show the presets with their faults and sources, and exit'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -f -a "add" -d 'Add a fault to a running proxy, for open connections and new ones'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -f -a "remove" -d 'Remove faults by their name'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -f -a "list" -d 'Show the current faults of the proxy'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -f -a "status" -d 'Show the proxies with their counters and faults'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -f -a "connections" -d 'Show the open connections of the proxy'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -f -a "cut" -d 'Reset one connection, or all of them'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and not __fish_seen_subcommand_from add remove list status connections cut reset" -f -a "reset" -d 'Remove all faults of the proxy'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from add" -s p -l preset -d 'Add the faults of this preset instead' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from add" -l id -d 'Name by which the fault can be removed [default: f1, f2, …]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from add" -l api -d 'Address of the API of a running undrop chaos' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from add" -l proxy -d 'Proxy to use [default: all proxies of the process]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from add" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from add" -l json -d 'Print the response as JSON'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from remove" -l api -d 'Address of the API of a running undrop chaos' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from remove" -l proxy -d 'Proxy to use [default: all proxies of the process]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from remove" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from remove" -l json -d 'Print the response as JSON'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from list" -l api -d 'Address of the API of a running undrop chaos' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from list" -l proxy -d 'Proxy to use [default: all proxies of the process]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from list" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from list" -l json -d 'Print the response as JSON'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from status" -l api -d 'Address of the API of a running undrop chaos' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from status" -l proxy -d 'Proxy to use [default: all proxies of the process]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from status" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from status" -l json -d 'Print the response as JSON'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from connections" -l api -d 'Address of the API of a running undrop chaos' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from connections" -l proxy -d 'Proxy to use [default: all proxies of the process]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from connections" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from connections" -l json -d 'Print the response as JSON'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from connections" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from connections" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from cut" -l api -d 'Address of the API of a running undrop chaos' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from cut" -l proxy -d 'Proxy to use [default: all proxies of the process]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from cut" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from cut" -l json -d 'Print the response as JSON'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from cut" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from cut" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from reset" -l api -d 'Address of the API of a running undrop chaos' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from reset" -l proxy -d 'Proxy to use [default: all proxies of the process]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from reset" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from reset" -l json -d 'Print the response as JSON'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand chaos; and __fish_seen_subcommand_from reset" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l session -d 'Whether to ask for a resumable session' -r -f -a "prefer\t'A session if the server supports it, otherwise a plain WebSocket'
require\t'A session; exit if the server does not support it'
off\t'A plain WebSocket without a session'"
complete -c undrop -n "__fish_undrop_using_subcommand connect" -s s -l subprotocol -d 'Offer a subprotocol; can be repeated, the first one is preferred' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -s H -l header -d 'Add a header to the request; can be repeated' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l backoff -d 'Policy for the delay between attempts' -r -f -a "full-jitter\t'Retry at once, then after a random delay below min(30 s, 1 s × 2^k), without limit'
classic\t'1 s, doubled after each attempt up to 30 s, ± 25 %, 10 attempts'"
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l heartbeat-text -d 'In plain mode, send the text PING every 30 s and expect the text PONG within 10 s [default: WebSocket Pings]' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l linger -d 'After the end of the input, close the connection once no message has arrived for this long' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l ca -d 'File with certificate authorities (PEM) to trust in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l proxy -d 'Forward proxy to use (http://, https://, socks5:// or socks5h://) [default: from the environment variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY]' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l timeout -d 'Time limit for each connection attempt' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l binary -d 'Send each line as a binary message'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l compress -d 'Offer compression of messages (permessage-deflate)'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l once -d 'Exit after the first failed attempt or lost connection instead of reconnecting'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l insecure -d 'Accept any certificate of the server: encrypted, but the server is not authenticated'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l seconds -d 'Duration of the demo in seconds' -r
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l rate -d 'Messages per second of each client' -r
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l seed -d 'Seed for all randomness, to repeat a run with the same dropped connections [default: random]' -r
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l forever -d 'Run until Ctrl-C is pressed'
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l json -d 'Print the result as one JSON object, and nothing else on standard output'
complete -c undrop -n "__fish_undrop_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand demo" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l horizon -d 'Time for which connections are watched; timeouts longer than this are not detected' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l expect-alive -d 'Exit with code 5 if a connection ends before this age; for CI' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l every -d 'Interval at which connections with traffic send something [default: 2s; with --watch 20s]' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l drop-log -d 'With --watch: append events to this file, one JSON object per line, instead of standard output' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l metrics -d 'With --watch: serve metrics for Prometheus at this address, under /metrics' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l webhook -d 'With --watch: send each drop as JSON by POST to this http:// or https:// URL' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l fail-after -d 'With --watch: exit with code 5 after this number of drops' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l patience -d 'Time after which a reply counts as missing' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l message -d 'Message that is sent to find out whether messages keep a connection alive' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l subscribe -d 'Message that makes the server send messages, to find out whether these keep a connection alive' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l largest -d 'Largest message that is tried; at most 64 KiB for targets on other machines without --i-own-this' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l page -d 'URL of the page that opens the WebSocket, for the Origin and for mixed content' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l control -d 'URL of the same server on a path that is expected to work, for comparison' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l via -d 'URL of the same server at a hop of the path, in the order from the client to the origin; can be repeated' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l direct -d 'URL of the origin itself, without intermediaries' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l resolve -d 'Use this address for a name; can be repeated' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -s s -l subprotocol -d 'Offer a subprotocol; can be repeated, the first is preferred' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -s H -l header -d 'Add a header field to requests; can be repeated' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l ca -d 'Trust these certificate authorities (PEM) in addition to those of the system' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l proxy -d 'Use this forward proxy (http://, https://, socks5://, socks5h://) [default: from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY]' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l timeout -d 'Time limit for a name lookup, a connection and a handshake each' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l html -d 'Write the report as a self-contained HTML page' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l document -d 'Write the report as Markdown' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l save -d 'Save the observations, for --replay' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l replay -d 'Evaluate a saved run instead of probing' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l quick -d 'Probe the stages only, for at most 15 s; do not watch connections'
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l watch -d 'Keep a few connections open until Ctrl-C, report each that ends, and open it again'
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l insecure -d 'Continue if the certificate of the server is not acceptable; it is still reported'
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l i-own-this -d 'Confirm that the target is yours: enables larger messages and more connections on other machines'
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -l json -d 'Print the report as JSON'
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand explain" -l file -d 'Read the query, such as a response head, from a file' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand explain" -l log -d 'Access logs to evaluate, plain or gzip; `-` is standard input' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand explain" -l format -d 'Format of the logs, as in the configuration of the product [default: detected for each log]' -r
complete -c undrop -n "__fish_undrop_using_subcommand explain" -l html -d 'Write the report as a self-contained HTML page' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand explain" -l log-filter -d 'Replaces the global option --log, which has another meaning here' -r
complete -c undrop -n "__fish_undrop_using_subcommand explain" -l json -d 'Print the result as JSON'
complete -c undrop -n "__fish_undrop_using_subcommand explain" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand explain" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s l -l listen -d 'Address to listen on; can be repeated [default: 127.0.0.1:8080]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s u -l upstream -d 'Backend for all paths that have no route; the path of the client is appended to the path of this URL [default: the embedded backend]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s c -l config -d 'TOML file with the full configuration; options on the command line take precedence' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l workers -d 'Number of worker threads [default: one per core]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l tls-cert -d 'Certificate chain in PEM format; enables wss://' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l tls-key -d 'Private key of the certificate in PEM format' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l heartbeat -d 'Idle time after which the gateway sends a heartbeat to a client [default: 25s]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l ttl -d 'Time for which a session is kept after its client disconnected [default: 120s]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l drain -d 'Maximum time from SIGTERM to the exit; connections that remain are closed [default: 30s]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l node -d 'Name of this process in session ids: 1 to 64 letters, digits, `-` and `_` [default: random]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l no-sessions -d 'Pass every client through, including clients that ask for a session'
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l check -d 'Check the configuration and exit'
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand reference" -l log -d 'Level of the log on standard error (error, warn, info, debug or trace), or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the other commands]' -r
complete -c undrop -n "__fish_undrop_using_subcommand reference" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand reference" -s V -l version -d 'Print version'
