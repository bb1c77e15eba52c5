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

complete -c undrop -n "__fish_undrop_needs_command" -l log -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the others]' -r
complete -c undrop -n "__fish_undrop_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_needs_command" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "connect" -d 'Talk to a WebSocket server: lines in, messages out'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "demo" -d 'See what is lost without undrop, and with it'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "gateway" -d 'Put resumable sessions in front of a WebSocket backend'
complete -c undrop -n "__fish_undrop_needs_command" -f -a "reference" -d 'Writes the command reference: a page, man pages, shell completions'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l session -d 'Ask for a resumable session' -r -f -a "prefer\t'A session where the server knows it'
require\t'A session or nothing'
off\t'Plain WebSocket'"
complete -c undrop -n "__fish_undrop_using_subcommand connect" -s s -l subprotocol -d 'Offer a sub-protocol; may be given several times, the first is preferred' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -s H -l header -d 'Add a request header; may be given several times' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l backoff -d 'Delay between attempts' -r -f -a "full-jitter\t'At once, then anything below min(30 s, 1 s · 2^k), without end'
classic\t'1 s, doubled, at most 30 s, give or take 25 %, 10 tries'"
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l heartbeat-text -d 'In plain mode, send PING each 30 s and expect PONG within 10 s, as texts; otherwise WebSocket Pings' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l linger -d 'How long nothing must come after the end of the input' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l ca -d 'Trust these certificate authorities (PEM) besides the system\'s' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l proxy -d 'Go through this proxy (http://, https://, socks5://, socks5h://); otherwise HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the environment decide' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l timeout -d 'Give up on a connection attempt after this long' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l log -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the others]' -r
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l binary -d 'Send lines as binary messages'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l compress -d 'Offer permessage-deflate'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l once -d 'End at the first failed attempt or lost link instead of opening another'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -l insecure -d 'Do not check the server\'s certificate'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand connect" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l seconds -d 'How long to run' -r
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l rate -d 'Messages per second and client' -r
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l seed -d 'Seed of the cuts, to see the same ones again' -r
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l log -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the others]' -r
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l forever -d 'Run until interrupted'
complete -c undrop -n "__fish_undrop_using_subcommand demo" -l json -d 'End with one JSON object on standard output and print nothing else there'
complete -c undrop -n "__fish_undrop_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand demo" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s l -l listen -d 'Address to listen on; may be given several times [default: 127.0.0.1:8080]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s u -l upstream -d 'Backend for all paths that no route names; its path goes in front of the client\'s' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s c -l config -d 'TOML file with everything else; flags win over it' -r -F
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l workers -d 'Threads [default: one per core]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l tls-cert -d 'Certificate chain (PEM), to serve wss://' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l tls-key -d 'Private key of the certificate (PEM)' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l heartbeat -d 'Silence after which a client gets a heartbeat, such as 25s [default: 25s]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l ttl -d 'How long a session waits for its client [default: 120s]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l drain -d 'Longest time from SIGTERM to the end [default: 30s]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l node -d 'Name of this process in session ids: letters, digits, - and _ [default: random]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l log -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the others]' -r
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l no-sessions -d 'Pass every client through, even those that ask for a session'
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -l check -d 'Check the configuration and end'
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c undrop -n "__fish_undrop_using_subcommand gateway" -s V -l version -d 'Print version'
complete -c undrop -n "__fish_undrop_using_subcommand reference" -l log -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `undrop_gateway=debug` [default: info for the gateway, error for the others]' -r
complete -c undrop -n "__fish_undrop_using_subcommand reference" -s h -l help -d 'Print help'
complete -c undrop -n "__fish_undrop_using_subcommand reference" -s V -l version -d 'Print version'
