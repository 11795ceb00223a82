"""Reads a model's weights into the page cache while the engine imports.

`command` watches over it, `threads` read. What they decide is pure: `mounts` says what kind of file
system it is, `room` how much memory is left in our `groups`, `pieces` what is read, by how many.
`pages` looks at what the page cache has.
"""
