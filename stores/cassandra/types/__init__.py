"""CQL's types: each reads literals, (de)serialises values, orders serialised values and names itself."""
