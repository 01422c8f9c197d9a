"""The desk's page over HTTP: what is known, as people read it.

app.py    puts it together           desk.py     what all pages work with
guard.py  who may ask, from where    address.py  what an address asks
pages.py  the pages                  shows.py    the model's types -> what a page shows of them
api.py    the same as JSON           asking.py   what pages, API and feeds ask of the archive alike
charts.py pictures                   syndication.py   feeds that others subscribe to
"""
